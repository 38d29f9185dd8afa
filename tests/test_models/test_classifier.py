"""Spiking classifiers: MMPretrain's, and what they hand on to detectors."""

from pathlib import Path
from typing import Any

import pytest
import torch
from mmdet.utils import register_all_modules
from mmengine.config import Config
from mmengine.registry import MODELS, DefaultScope
from mmengine.runner import Runner
from mmengine_instances import separate_run
from mmpretrain.models import ImageClassifier, LinearClsHead
from mmpretrain.structures import DataSample
from torch import nn

from mmsnn.models import FAMILIES, SpikeDecoder

from .helpers import parameters_without_gradient

CONFIGS = Path(__file__).resolve().parents[2] / 'configs'
DETECTOR = (
    CONFIGS / 'spiking_retinanet/spiking-retinanet_sg-r10-asd-pre_fpn_1xb8-8e_digits.py'
)


def load(path: str) -> Config:
    """Return a config with a narrow network, for little data."""
    cfg = Config.fromfile(CONFIGS / path)
    cfg.train_dataloader.update(batch_size=8)
    cfg.train_dataloader.dataset.indices = 16
    return cfg


def build(model: Any) -> nn.Module:
    with DefaultScope.overwrite_default_scope('mmpretrain'):
        return MODELS.build(model)


def classifier(decoder: str, backbone: dict[str, Any]) -> ImageClassifier:
    neck = dict(type='mmsnn.SpikeDecoder', decoder=dict(type=decoder))
    model = build(
        dict(
            type='ImageClassifier',
            backbone={'num_steps': 3, **backbone},
            neck=[
                dict(in_channels=[32], num_steps=3, **neck),
                dict(type='GlobalAveragePooling'),
            ],
            head=dict(type='LinearClsHead', num_classes=5, in_channels=32),
        )
    )
    model.init_weights()
    return model


@pytest.mark.parametrize('decoder', ['Rate', 'ASD'])
@pytest.mark.parametrize('family', FAMILIES)
def test_every_family_classifies(family: str, decoder: str) -> None:
    backbone = dict(type='mmsnn.ResNetSNN', depth=10, base_channels=4, stem='cifar')
    # untrained, AND is silent unless its branches fire
    zero_init = family == 'SEW-AND'
    model = classifier(
        decoder, dict(backbone, family=family, zero_init_residual=zero_init)
    )
    images = torch.rand(2, 3, 16, 16)
    samples = [DataSample().set_gt_label(label) for label in (0, 4)]
    losses = model.train()(images, samples, mode='loss')
    losses['loss'].backward()
    assert model.head.fc.weight.grad.any()
    predicted = model.eval()(images, samples, mode='predict')
    for sample in predicted:
        assert sample.pred_score.shape == (5,)
        torch.testing.assert_close(sample.pred_score.sum(), torch.tensor(1.0))


def test_frames_are_learned() -> None:
    model = classifier('Rate', dict(type='mmsnn.SevenBNet', out_indices=(4,)))
    frames = torch.rand(4, 3, 2, 32, 48)
    labels = [DataSample().set_gt_label(i) for i in range(4)]
    optimizer = torch.optim.SGD(model.parameters(), 0.05)
    before = model(frames, labels, mode='loss')['loss']
    before.backward()
    assert parameters_without_gradient(model) == []
    optimizer.step()
    assert model(frames, labels, mode='loss')['loss'] < before
    assert model.eval()(frames, mode='tensor').shape == (4, 5)


def test_rate_decoding_averages_the_logits_of_the_steps() -> None:
    """Means and the linear head commute: mean of logits = logits of the mean."""
    spikes = (torch.rand(3, 2, 32, 4, 4) < 0.3).float()
    head = LinearClsHead(num_classes=5, in_channels=32)
    nn.init.normal_(head.fc.weight)
    nn.init.normal_(head.fc.bias)
    per_step = torch.stack([head((step.mean((2, 3)),)) for step in spikes])
    (rate,) = SpikeDecoder([32], 3, dict(type='Rate'))([spikes])
    torch.testing.assert_close(head((rate.mean((2, 3)),)), per_step.mean(0))
    assert not torch.allclose(per_step[0], per_step[1])


# From classifier to detector ---------------------------------------------------------


@pytest.fixture(scope='module')
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A classifier after two iterations, as the runner saves it."""
    folder = tmp_path_factory.mktemp('classifier')
    cfg = load('digits/sg-r10-asd_1xb64-30e_digits-64px.py')
    cfg.merge_from_dict(
        {
            'work_dir': str(folder),
            'log_level': 'WARNING',
            'experiment_name': 'classifier',
            'train_cfg.max_epochs': 1,
            'train_cfg.val_begin': 2,
        }
    )
    with separate_run():
        Runner.from_cfg(cfg).train()
    return folder / 'epoch_1.pth'


def test_a_classifiers_backbone_becomes_a_detectors(checkpoint: Path) -> None:
    register_all_modules()
    cfg = Config.fromfile(DETECTOR)
    init_cfg = cfg.model.backbone.init_cfg
    assert (init_cfg.type, init_cfg.prefix) == ('Pretrained', 'backbone.')
    init_cfg.checkpoint = str(checkpoint)
    with DefaultScope.overwrite_default_scope('mmdet'):
        detector = MODELS.build(cfg.model)
    fresh = {name: value.clone() for name, value in detector.state_dict().items()}
    detector.init_weights()
    given = torch.load(checkpoint, weights_only=False)['state_dict']
    backbone = {
        name.removeprefix('backbone.'): value
        for name, value in given.items()
        if name.startswith('backbone.')
    }
    own = detector.backbone.state_dict()
    assert own.keys() == backbone.keys()
    assert all(torch.equal(own[name], backbone[name]) for name in own)
    moved = [n for n in backbone if not torch.equal(fresh[f'backbone.{n}'], own[n])]
    # The weights and running statistics of norms move in training, too.
    assert set(moved) == set(backbone)


def test_the_example_names_the_classifiers_checkpoint() -> None:
    checkpoint = Path(Config.fromfile(DETECTOR).model.backbone.init_cfg.checkpoint)
    config = CONFIGS / 'digits' / f'{checkpoint.parent.name}.py'
    epochs = Config.fromfile(config).train_cfg.max_epochs
    assert checkpoint == Path('work_dirs', config.stem, f'epoch_{epochs}.pth')
