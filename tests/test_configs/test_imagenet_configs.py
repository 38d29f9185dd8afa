"""The ImageNet configs against their papers."""

from pathlib import Path

import pytest

from mmsnn.models import FAMILIES, DenseNetSNN

from .files import build
from .imagenet_papers import (
    CONFIGS,
    COPIES,
    FIRST_PHASES,
    FIVE,
    NETWORKS,
    RECIPES,
    ROOT,
    load,
    setting,
)
from .runs import quick_first
from .test_spikeformer_configs import IMAGENET as SPIKEFORMERS

# Fang et al., Section 4.1: the Spiking ResNets start as identities, SEW does not.
IDENTITIES = ('SEW', 'Spiking')


def test_table_has_every_config() -> None:
    found = {path.stem for path in CONFIGS.glob('*.py')}
    assert found == NETWORKS.keys() | SPIKEFORMERS.keys()


@pytest.mark.parametrize(('name', 'five'), COPIES.items())
def test_a_connection_is_the_same_on_every_subset(name: str, five: str) -> None:
    """Only what they inherit differs: the config of DANet-A, ResNet50 on the subset."""
    text, of_five = ((CONFIGS / f'{n}.py').read_text() for n in (name, five))
    root = ROOT + name.partition('-t4_')[2]
    assert text == of_five.replace(f'./{ROOT}{FIVE}.py', f'./{root}.py')
    assert root in text


READ = [name for name in NETWORKS if name not in COPIES]


@pytest.mark.parametrize('name', READ)
def test_recipe_is_the_papers(name: str) -> None:
    cfg = load(name)
    for key, (value, where) in RECIPES[NETWORKS[name][0].recipe].items():
        assert setting(cfg, key) == value, f'{key}: {where}'


@pytest.mark.parametrize('name', READ)
def test_what_all_recipes_share(name: str) -> None:
    """All papers train with SGD of momentum 0.9 on crops of 224x224 pixels."""
    cfg = load(name)
    optimizer = cfg.optim_wrapper.optimizer
    assert (cfg.optim_wrapper.type, optimizer.type) == ('AmpOptimWrapper', 'SGD')
    assert optimizer.momentum == 0.9
    steps = {step.type: step for step in cfg.train_dataloader.dataset.pipeline}
    assert steps['RandomResizedCrop'].scale == 224
    if 'RandomFlip' in steps:
        flip = steps['RandomFlip']
        assert (flip.prob, flip.direction) == (0.5, 'horizontal')
    if 'AutoAugment' in steps:
        assert steps['AutoAugment'].policies == 'imagenet'
    _, resize, center, _ = cfg.test_dataloader.dataset.pipeline
    assert (resize.type, resize.scale, resize.edge) == ('ResizeEdge', 256, 'short')
    assert (center.type, center.crop_size) == ('CenterCrop', 224)
    splits = [cfg[f'{s}_dataloader'].dataset.split for s in ('train', 'val', 'test')]
    assert splits == ['train', 'val', 'val']
    if cfg.model.head.loss.type == 'LabelSmoothLoss':
        assert cfg.model.head.loss.label_smooth_val == 0.1


# Deep networks take long to build, and those of the subsets differ in depth alone.
DEEP = [
    name
    for name in READ
    if NETWORKS[name][0].recipe == 'subset-100e' and NETWORKS[name][1] > 50
]


@pytest.mark.parametrize(
    'name', quick_first(READ, [name for name in READ if name not in DEEP])
)
def test_network_is_the_papers(name: str) -> None:
    row, depth = NETWORKS[name]
    model = build(load(name), 'meta')
    assert all(parameter.requires_grad for parameter in model.parameters())
    backbone = model.backbone
    assert (backbone.depth, backbone.num_steps) == (depth, row.num_steps)
    if row.family == 'DenseNet':
        assert (type(backbone), backbone.order) == (DenseNetSNN, 'CNS')
    else:
        assert backbone.family is FAMILIES[row.family]
    assert type(backbone.stem) is row.stem
    starts_as_identity = row.family == 'MS' or (row.recipe, row.family) == IDENTITIES
    assert backbone.zero_init_residual == starts_as_identity
    decoder = 'ASD' if '-asd_' in name else 'Rate'
    assert [type(d).__name__ for d in model.neck[0].decoders] == [decoder]
    assert model.neck[0].num_steps == row.num_steps
    assert model.neck[0].in_channels == backbone.out_channels
    assert model.head.in_channels == backbone.out_channels[-1]
    if row.parameters[depth] is not None:
        count = sum(parameter.numel() for parameter in model.parameters())
        missing = 1000 - model.head.num_classes
        count += missing * (model.head.in_channels + 1)
        assert round(count / 1e6, 2) == row.parameters[depth]


@pytest.mark.parametrize('number', [5, 20, 100])
def test_subset_has_one_number_of_classes(number: int) -> None:
    cfg = load(next(name for name in NETWORKS if name.endswith(f'imagenet-{number}')))
    sets = [cfg[f'{split}_dataloader'].dataset for split in ('train', 'val', 'test')]
    assert {s.type for s in sets} == {'mmsnn.ImageNetSubset'}
    assert {(s.num_classes, s.seed) for s in sets} == {(number, 0)}
    model = cfg.model
    assert model.head.num_classes == model.data_preprocessor.num_classes == number


@pytest.mark.parametrize(('name', 'first'), FIRST_PHASES.items())
def test_second_phase_starts_from_the_first(name: str, first: str) -> None:
    checkpoint = Path(load(name).model.init_cfg.checkpoint)
    assert checkpoint == Path('work_dirs', first, 'epoch_120.pth')
    assert first in NETWORKS
