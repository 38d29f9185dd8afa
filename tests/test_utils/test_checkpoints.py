"""How checkpoints fit models."""

from pathlib import Path

import pytest
import torch
from mmengine.model import BaseTTAModel
from torch import nn

from mmsnn.utils.checkpoints import Fit, check_fit, read_checkpoint
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
    return _Model(nn.Conv2d(3, 4, 1), nn.BatchNorm2d(4))


@pytest.mark.parametrize('prefix', ['', 'module.'])
def test_all_parameters_fit(prefix: str) -> None:
    state = {prefix + name: value for name, value in make_model().state_dict().items()}
    assert check_fit(make_model(), state, 'x.pth') == Fit(4, 4)


def test_other_shapes_do_not_fit() -> None:
    state = dict(make_model().state_dict())
    state['0.weight'] = torch.zeros(5, 3, 1, 1)
    del state['1.bias']
    assert check_fit(make_model(), state, 'x.pth') == Fit(2, 4)


def test_buffers_do_not_count() -> None:
    state = {'1.running_mean': torch.zeros(4)}
    with pytest.raises(UserError, match=r"'x\.pth' fits no parameter of the model"):
        check_fit(make_model(), state, 'x.pth')


def test_inside_test_time_augmentation() -> None:
    model = make_model()
    assert check_fit(_TTA(model), dict(model.state_dict()), 'x.pth') == Fit(4, 4)


def test_message_names_both_sides() -> None:
    state = {name: torch.zeros(1) for name in ('a', 'b', 'c')}
    with pytest.raises(UserError) as caught:
        check_fit(nn.Linear(1, 2), state, 'x.pth')
    assert str(caught.value).endswith('it has a, b, ..., the model has weight, bias')


def test_read(tmp_path: Path) -> None:
    state = {'a': torch.ones(2)}
    bare, full = tmp_path / 'bare.pth', tmp_path / 'full.pth'
    torch.save(state, bare)
    torch.save({'state_dict': state, 'meta': {}, 'message_hub': {}}, full)
    for path in (bare, full):
        read = read_checkpoint(str(path))
        assert read is not None
        assert torch.equal(read['a'], state['a'])
    assert read_checkpoint(str(full), resume=True) is not None
    with pytest.raises(UserError, match='cannot resume'):
        read_checkpoint(str(bare), resume=True)


def test_remote_checkpoints_are_not_read() -> None:
    assert read_checkpoint('https://example.org/x.pth') is None
