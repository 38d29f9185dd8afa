"""The ImageNet configs against their papers, and at work on tiny data."""

from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from mmengine.config import Config

from mmsnn.models import FAMILIES, DenseNetSNN
from mmsnn.utils.cpu import without_amp
from mmsnn.utils.errors import UserError
from mmsnn.utils.preflight import check_pretrained

from .imagenet_papers import (
    CONFIGS,
    COPIES,
    FIVE,
    NETWORKS,
    RECIPES,
    ROOT,
    build,
    load,
    setting,
)
from .narrow import narrow
from .runs import quick_first, train_and_test
from .test_spikeformer_configs import IMAGENET as SPIKEFORMERS

# Fang et al., Section 4.1: the Spiking ResNets start as identities, SEW does not.
IDENTITIES = ('SEW', 'Spiking')
# The configs of a second phase -> that of the first one, from which they start.
FIRST = {
    name: name.replace('-t4_8xb32-amp-45e', '-t1_8xb32-amp-120e')
    for name in NETWORKS
    if '-45e_' in name
}


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
    with torch.device('meta'):
        model = build(load(name))
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


@pytest.mark.parametrize(('name', 'first'), FIRST.items())
def test_second_phase_starts_from_the_first(name: str, first: str) -> None:
    checkpoint = Path(load(name).model.init_cfg.checkpoint)
    assert checkpoint == Path('work_dirs', first, 'epoch_120.pth')
    assert first in NETWORKS


def test_second_phase_without_the_first(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UserError, match=r'model\.init_cfg\.checkpoint: .* not exist'):
        check_pretrained(load('danet-a-r18-t4_8xb32-amp-45e_imagenet'))


# On tiny data ------------------------------------------------------------------------

CLASSES = [f'n0{1440764 + i}' for i in range(6)]


@pytest.fixture(scope='module')
def imagenet(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """ImageNet's folders of six classes, two training images and one to validate."""
    root = tmp_path_factory.mktemp('imagenet')
    rng = np.random.default_rng(0)
    for split, number in (('train', 2), ('val', 1)):
        for label, synset in enumerate(CLASSES):
            folder = root / split / synset
            folder.mkdir(parents=True)
            for i in range(number):
                image = rng.integers(0, 40, (80, 90, 3)) + 35 * label
                image = image.astype(np.uint8)
                cv2.imwrite(str(folder / f'{synset}_{i}.JPEG'), image)
    return root


def tiny(name: str, root: Path, work_dir: Path) -> Config:
    """Return a config of one epoch with a narrow network on tiny images."""
    cfg = load(name)
    narrow(cfg)
    model = cfg.model
    subset = model.head.num_classes < 1000
    number = len(CLASSES) - 1 if subset else len(CLASSES)
    model.head.num_classes = model.data_preprocessor.num_classes = number
    for split in ('train', 'val', 'test'):
        loader = cfg[f'{split}_dataloader']
        loader.update(batch_size=4, num_workers=0, persistent_workers=False)
        loader.dataset.update(data_root=str(root), metainfo=dict(classes=CLASSES))
        if subset:
            loader.dataset.num_classes = number
        pipeline = loader.dataset.pipeline
        if split == 'train':
            pipeline[1].scale = 64
        else:
            pipeline[1].scale, pipeline[2].crop_size = 72, 64
    without_amp(cfg)
    cfg.merge_from_dict(
        {
            'train_cfg.max_epochs': 1,
            'work_dir': str(work_dir),
            'experiment_name': f'{name}-{work_dir.name}',
            'log_level': 'WARNING',
        }
    )
    return cfg


# of the ablation studies, networks of one depth
ABLATIONS = ('DANet-50e', 'subset-100e', 'subset-50e')
SINGLE = [
    name
    for name, (row, depth) in NETWORKS.items()
    if name not in {*FIRST, *FIRST.values(), *COPIES}
    and (row.recipe not in ABLATIONS or depth in (50, 121))
]
QUICK = [
    'sg-r18-asd_8xb32-amp-320e_imagenet',
    'sew-add-r50-rate_8xb32-amp-320e_imagenet',
    'spiking-r18-rate_8xb32-amp-320e_imagenet',
    'danet-b-r50-t1_8xb32-amp-50e_imagenet',
    'danet-a-r50-t4_1xb32-amp-100e_imagenet-5',
    'gac-ms-r18-t4_8xb32-amp-250e_imagenet',
    'ms-r18-t6_8xb32-amp-250e_imagenet',
]


@pytest.mark.parametrize('name', quick_first(SINGLE, QUICK))
def test_an_epoch_and_an_evaluation(name: str, imagenet: Path, tmp_path: Path) -> None:
    train_and_test(tiny(name, imagenet, tmp_path))


@pytest.mark.parametrize(
    'name', quick_first(FIRST, ['danet-a-r18-t4_8xb32-amp-45e_imagenet'])
)
def test_two_phases(name: str, imagenet: Path, tmp_path: Path) -> None:
    first = tmp_path / 'first'
    train_and_test(tiny(FIRST[name], imagenet, first))
    given = torch.load(first / 'epoch_1.pth', weights_only=False)['state_dict']

    second = tiny(name, imagenet, tmp_path)
    second.model.init_cfg.checkpoint = str(first / 'epoch_1.pth')
    model = build(second)
    model.init_weights()
    own = model.state_dict()
    assert own.keys() == given.keys()
    assert all(torch.equal(own[key], given[key]) for key in own)
    assert model.backbone.num_steps == 4
    train_and_test(second)
