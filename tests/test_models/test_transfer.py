"""From one number of time steps to another: what is loaded, and what is not."""

import logging
from pathlib import Path
from typing import Any

import pytest
import torch
from mmengine.config import Config
from mmengine.logging import MMLogger
from mmpretrain.models import ImageClassifier
from torch import nn

from mmsnn.models import PretrainedSteps, SGResNet, SpikeDecoder
from mmsnn.utils.errors import UserError
from mmsnn.utils.preflight import check_pretrained

TEMPORAL = {
    'neck.0.decoders.0.temporal.mlp.0.weight',
    'neck.0.decoders.0.temporal.mlp.2.weight',
}
GATED = {'backbone.stem.temporal.mlp.0.weight', 'backbone.stem.temporal.mlp.2.weight'}
GAC = dict(type='GatedAttentionStem', kernel_size=3, stride=1)


def classifier(
    num_steps: int,
    init_cfg: Any = None,
    decoder: dict[str, Any] | None = None,
    classes: int = 3,
    **backbone: Any,
) -> ImageClassifier:
    options = dict(type='mmsnn.SGResNet', depth=10, base_channels=4, stem='cifar')
    return ImageClassifier(
        backbone={**options, 'num_steps': num_steps, **backbone},
        neck=[
            dict(
                type='mmsnn.SpikeDecoder',
                decoder=decoder or dict(type='ASD'),
                in_channels=[32],
                num_steps=num_steps,
            ),
            dict(type='mmpretrain.GlobalAveragePooling'),
        ],
        head=dict(type='mmpretrain.LinearClsHead', num_classes=classes, in_channels=32),
        init_cfg=init_cfg,
    )


def save(model: nn.Module, folder: Path) -> str:
    """Save weights that no initialisation gives."""
    with torch.no_grad():
        for value in [*model.parameters(), *model.buffers()]:
            value.copy_(torch.rand(value.shape) * 3 + 0.5)
    path = folder / 'weights.pth'
    torch.save({'state_dict': model.state_dict()}, path)
    return str(path)


def from_file(path: str, prefix: str | None = None) -> dict[str, Any]:
    return dict(type='mmsnn.PretrainedSteps', checkpoint=path, prefix=prefix)


def differing(model: nn.Module, path: str, prefix: str = '') -> set[str]:
    """Return the names of what is not as in the file."""
    state = torch.load(path)['state_dict']
    return {
        name
        for name, value in model.state_dict().items()
        if not torch.equal(value, state.get(prefix + name, torch.tensor(0)))
    }


@pytest.fixture
def log(caplog: pytest.LogCaptureFixture) -> pytest.LogCaptureFixture:
    """What MMEngine logs, which goes past Python's root logger."""
    logger = MMLogger.get_current_instance()
    level = logger.level
    logger.addHandler(caplog.handler)
    logger.setLevel('INFO')
    yield caplog
    logger.removeHandler(caplog.handler)
    logger.setLevel(level)


@pytest.mark.parametrize('zero_init_residual', [False, True])
@pytest.mark.parametrize(('num_steps', 'anew'), [(1, TEMPORAL), (4, set())])
def test_to_four_steps(
    tmp_path: Path, log: pytest.LogCaptureFixture, num_steps, anew, zero_init_residual
) -> None:
    """The whole model: neither MMEngine's order nor the identity undoes it."""
    path = save(classifier(num_steps), tmp_path)
    model = classifier(4, from_file(path), zero_init_residual=zero_init_residual)
    fresh = {name: model.get_parameter(name).clone() for name in anew}
    logger = MMLogger.get_current_instance()
    handler = logging.FileHandler(tmp_path / 'init.log')
    logger.addHandler(handler)
    model.init_weights()
    logger.removeHandler(handler)
    handler.close()
    assert differing(model, path) == anew
    assert all(torch.equal(model.get_parameter(n), fresh[n]) for n in anew)
    (message,) = [r.message for r in log.records if 'time steps: ' in r.message]
    assert {*message.rpartition(': ')[2].split(', ')} == (anew or {'nothing'})
    # MMEngine's record says where parameters are from
    entries = (tmp_path / 'init.log').read_text().split('\n\n')
    loaded = {e.split(' - ')[0].strip() for e in entries if 'PretrainedSteps' in e}
    assert loaded == {name for name, _ in model.named_parameters()} - anew
    model.eval()(torch.rand(2, 3, 8, 8))


@pytest.mark.parametrize(
    ('stem', 'num_steps'),
    [(GAC, 2), (dict(GAC, temporal=False), 1), (dict(GAC, spatial_channel=False), 3)],
    ids=['two', 'one, which has no temporal attention', 'three'],
)
def test_gated_attention_coding(
    tmp_path: Path, stem: dict[str, Any], num_steps: int
) -> None:
    path = save(classifier(num_steps, stem=stem), tmp_path)
    stem = {key: value for key, value in stem.items() if key != 'temporal'}
    model = classifier(4, from_file(path), stem=stem)
    model.init_weights()
    assert differing(model, path) == TEMPORAL | GATED


@pytest.mark.parametrize('zero_init_residual', [False, True])
def test_a_backbone(tmp_path: Path, zero_init_residual: bool) -> None:
    path = save(classifier(1), tmp_path)
    options = dict(num_steps=4, base_channels=4, stem='cifar')
    options |= dict(zero_init_residual=zero_init_residual)
    backbone = SGResNet(10, **options, init_cfg=from_file(path, 'backbone.'))
    backbone.init_weights()
    assert differing(backbone, path, 'backbone.') == set()


def test_a_decoder_and_other_initialisers(tmp_path: Path) -> None:
    """They give what is not loaded."""
    path = save(classifier(1), tmp_path)
    constant = dict(type='Constant', layer='Conv2d', val=7.0)
    init_cfg = [constant, from_file(path, 'neck.0.')]
    for cfg in (init_cfg, init_cfg[1]):
        neck = SpikeDecoder([32], 4, dict(type='ASD'), cfg)
        neck.init_weights()
        names = {name.removeprefix('neck.0.') for name in TEMPORAL}
        assert differing(neck, path, 'neck.0.') == names
        sevens = [(p == 7).all() for p in neck.decoders[0].temporal.parameters()]
        assert all(sevens) == any(sevens) == (cfg is init_cfg)


# Mistakes ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ('changes', 'problem'),
    [
        (
            dict(classes=4),
            r'other shapes: head.fc.weight \(\[3, 32\], but .* \[4, 32\]',
        ),
        (dict(depth=18), 'nothing for backbone.stages.0.1.branch.0'),
        (dict(decoder=dict(type='Rate')), 'no place for neck.0.decoders.0.temporal'),
        (dict(stem='imagenet'), 'other shapes: backbone.stem.encode.conv.weight'),
        (
            dict(decoder=dict(type='ASD', temporal_reduction=2), num_steps=2),
            'other shapes: neck.0.decoders.0.temporal.mlp.0.weight',
        ),
    ],
    ids=['classes', 'depth', 'decoder', 'stem', 'reduction at the same T'],
)
def test_what_does_not_fit_is_named(
    tmp_path: Path, changes: dict[str, Any], problem: str
) -> None:
    path = save(classifier(2), tmp_path)
    model = classifier(**{'num_steps': 4, 'init_cfg': from_file(path), **changes})
    with pytest.raises(UserError, match=problem) as error:
        model.init_weights()
    assert str(error.value).startswith(f"checkpoint '{path}': weights do not fit Image")


def test_half_of_the_temporal_attention_and_other_prefixes(tmp_path: Path) -> None:
    path = save(classifier(1), tmp_path)
    with pytest.raises(UserError, match="no weight begins with prefix 'bone.'"):
        PretrainedSteps(path, 'bone.')(classifier(4))
    state = torch.load(path)
    del state['state_dict'][max(TEMPORAL)]
    torch.save(state, path)
    with pytest.raises(UserError, match=f'nothing for {max(TEMPORAL)}'):
        classifier(4, from_file(path)).init_weights()


def test_no_such_file() -> None:
    with pytest.raises(UserError, match="^checkpoint 'none.pth' does not exist$"):
        PretrainedSteps('none.pth')(classifier(4))
    # the tools look for it first
    cfg = Config(dict(model=dict(init_cfg=from_file('none.pth'))))
    with pytest.raises(UserError, match='model.init_cfg.checkpoint: .* does not exist'):
        check_pretrained(cfg)


@pytest.mark.parametrize(
    ('arguments', 'problem'),
    [
        ((1,), 'checkpoint must be a path or a URL, but got 1 .int.'),
        (('a.pth', 1), 'prefix must be a string, but got 1 .int.'),
    ],
)
def test_wrong_types(arguments: tuple[Any, ...], problem: str) -> None:
    with pytest.raises(TypeError, match=problem):
        PretrainedSteps(*arguments)
