"""How checkpoints fit models."""

import pytest
import torch
from mmengine.model import BaseTTAModel
from torch import nn

from mmsnn.utils.checkpoint_fit import check_fit, judge_fit
from mmsnn.utils.errors import UserError


class _TTA(BaseTTAModel):
    def merge_preds(self, data_samples_list: list) -> list:
        return data_samples_list


class _Model(nn.Sequential):
    """Stands for an MMEngine model."""

    data_preprocessor = None

    def test_step(self, data: dict) -> list:
        return [data]


def make_model() -> nn.Module:
    return _Model(nn.ConvTranspose2d(3, 4, 1), nn.BatchNorm2d(4))


@pytest.mark.parametrize('prefix', ['', 'module.'])
def test_all_weights_fit(prefix: str) -> None:
    state = {prefix + name: value for name, value in make_model().state_dict().items()}
    fit = check_fit(make_model(), state, 'x.pth')
    assert fit == (6, 6, (), ())
    assert judge_fit(fit, 'x.pth', 1, allow_partial=False) is None
    assert check_fit(_TTA(make_model()), state, 'x.pth').matched == 6


@pytest.mark.parametrize(
    ('value', 'reason'),
    [
        (torch.zeros(4, 3, 1, 1), r'\[4, 3, 1, 1\] in place of \[3, 4, 1, 1\]'),
        (torch.zeros(3, 4, 1, 1, dtype=torch.int64), 'torch.int64 in place of'),
        (torch.zeros(3, 4, 1, 1, dtype=torch.complex64), 'torch.complex64 in place'),
        (torch.zeros(3, 4, 1, 1).to_sparse(), 'without dense values'),
        ([1.0], 'list'),
        (None, 'missing'),
    ],
)
def test_misfits_are_named_with_the_reason(value: object, reason: str) -> None:
    state = dict(make_model().state_dict(), **{'0.weight': value})
    fit = check_fit(make_model(), state, 'x.pth')
    assert (fit.matched, fit.total) == (5, 6)
    with pytest.raises(UserError, match=rf'5 of .* 6 weights.*0\.weight \({reason}'):
        judge_fit(fit, 'x.pth', 1, allow_partial=False)


def test_half_precision_fits() -> None:
    state = {k: v.half() for k, v in make_model().state_dict().items()}
    state['1.num_batches_tracked'] = torch.tensor(1)
    assert check_fit(make_model(), state, 'x.pth').matched == 6


def test_share() -> None:
    state = dict(list(make_model().state_dict().items())[:3])
    fit = check_fit(make_model(), state, 'x.pth')
    warning = judge_fit(fit, 'x.pth', 0.5, allow_partial=False)
    assert warning is not None
    assert 'initial values' in warning
    with pytest.raises(UserError, match='at least 51% must fit, unless --allow-part'):
        judge_fit(fit, 'x.pth', 0.51, allow_partial=False)
    assert judge_fit(fit, 'x.pth', 0.51, allow_partial=True) == warning


def test_weights_without_a_place_are_a_warning() -> None:
    """Of a deeper network, say: all of this one fits."""
    state = dict(make_model().state_dict(), **{'9.weight': torch.ones(1)})
    fit = check_fit(make_model(), state, 'x.pth')
    assert '9.weight' in judge_fit(fit, 'x.pth', 1, allow_partial=False)


def test_no_fit() -> None:
    """Of buffers alone, too; the message names both sides."""
    state = {'1.running_mean': torch.zeros(4)}
    with pytest.raises(UserError, match=r"'x\.pth' fits no parameter of the model"):
        check_fit(make_model(), state, 'x.pth')
    state = {name: torch.zeros(1) for name in ('a', 'b', 'c')}
    message = 'it has a, b and 1 more, the model has weight, bias$'
    with pytest.raises(UserError, match=message):
        check_fit(nn.Linear(1, 2), state, 'x.pth')
