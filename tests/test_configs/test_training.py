"""The classifiers' configs at work: an epoch on tiny data in the real layout."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from mmengine.config import Config
from mmpretrain.datasets import CIFAR10, CIFAR100
from test_datasets.event_files import write_cifar10_dvs, write_dvs128_gesture

from mmsnn.utils.cpu import without_amp
from test_configs.cifar_papers import FILES as CIFAR
from test_configs.event_papers import PAPERS as EVENTS
from test_configs.files import CONFIGS, build, load
from test_configs.imagenet_papers import COPIES, FIRST_PHASES, NETWORKS
from test_configs.narrow import narrow
from test_configs.runs import images, quick_first, shorten, train_and_test
from test_configs.tiny_data import (
    CLASSES,
    write_cifar,
    write_fashion_mnist,
    write_imagenet,
)

WRITERS = {
    'fashion_mnist': write_fashion_mnist,
    'imagenet': write_imagenet,
    'cifar10_dvs': write_cifar10_dvs,
    'dvs128_gesture': write_dvs128_gesture,
}


@pytest.fixture(scope='module')
def data(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A folder of data sets, which MMPretrain takes for whole."""
    root = tmp_path_factory.mktemp('data')
    for name, write in WRITERS.items():
        write(root / name)
    with pytest.MonkeyPatch.context() as patch:
        for name, dataset in (('cifar10', CIFAR10), ('cifar100', CIFAR100)):
            train_list, test_list = write_cifar(root / name, dataset)
            patch.setattr(dataset, 'train_list', train_list)
            patch.setattr(dataset, 'test_list', test_list)
        yield root


def tiny(name: str, data: Path, work_dir: Path) -> Config:
    """Return a config of one epoch on little data, with a narrow network."""
    cfg = load(CONFIGS / f'{name}.py')
    folder = name.partition('/')[0]
    shorten(cfg, work_dir, 2 if name in EVENTS else 4)
    if folder in ('cifar10', 'cifar100', 'imagenet'):
        narrow(cfg)
    for split in ('train', 'val', 'test'):
        dataset = cfg[f'{split}_dataloader'].dataset
        if folder == 'digits':
            dataset.indices = 12 if split == 'train' else 8
            continue
        assert dataset.data_root == f'data/{folder}/'
        dataset.data_root = str(data / folder)
        if name in EVENTS:
            dataset.pipeline[0].cache_dir = str(work_dir)
        elif folder != 'imagenet':
            dataset.download = False
    return cfg


def tiny_imagenet(name: str, data: Path, work_dir: Path) -> Config:
    cfg = tiny(f'imagenet/{name}', data, work_dir)
    subset = cfg.model.head.num_classes < 1000
    number = len(CLASSES) - 1 if subset else len(CLASSES)
    cfg.model.head.num_classes = cfg.model.data_preprocessor.num_classes = number
    for split in ('train', 'val', 'test'):
        dataset = cfg[f'{split}_dataloader'].dataset
        dataset.metainfo = dict(classes=CLASSES)
        if subset:
            dataset.num_classes = number
        pipeline = dataset.pipeline
        if split == 'train':
            pipeline[1].scale = 64
        else:
            pipeline[1].scale, pipeline[2].crop_size = 72, 64
    without_amp(cfg)
    return cfg


# Of each kind of data and network one.
QUICK = re.compile(
    'cifar10/(sg-r10-asd|sew-add-10b-atan)|cifar100/(gac-.*-t2|spiking-r10)'
    '|fashion-mnist|digits/sg-r10.*-64px|digits/danet'
)
SMALL = [
    f'{folder}/{path.stem}'
    for folder in ('digits', 'fashion_mnist')
    for path in sorted((CONFIGS / folder).glob('*.py'))
]
IMAGES = [*CIFAR, *SMALL]


@pytest.mark.parametrize('name', quick_first(IMAGES, filter(QUICK.match, IMAGES)))
def test_images(name: str, data: Path, tmp_path: Path) -> None:
    cfg = tiny(name, data, tmp_path)
    if '-constant_' in name:
        # gradients explode: the SEW paper's Table 9 has the accuracy of chance
        cfg.optim_wrapper.optimizer.lr = 1e-8
    assert without_amp(cfg) == ('-amp-' in name)
    train_and_test(cfg)


FIRST_CIFAR = [
    next(name for name in CIFAR if name.startswith(folder))
    for folder in ('cifar10/', 'cifar100/')
]


@pytest.mark.parametrize('name', [*SMALL, *FIRST_CIFAR])
def test_training_and_testing_take_different_images(
    name: str, data: Path, tmp_path: Path
) -> None:
    cfg = tiny(name, data, tmp_path)
    train, test = images(cfg.train_dataloader), images(cfg.test_dataloader)
    assert (len(train), len(test)) == (10 if 'cifar' in name else 12, 8)
    assert train.isdisjoint(test)


# of the ablation studies, networks of one depth
ABLATIONS = ('DANet-50e', 'subset-100e', 'subset-50e')
SINGLE = [
    name
    for name, (row, depth) in NETWORKS.items()
    if name not in {*FIRST_PHASES, *FIRST_PHASES.values(), *COPIES}
    and (row.recipe not in ABLATIONS or depth in (50, 121))
]
QUICK_IMAGENET = [
    'sg-r18-asd_8xb32-amp-320e_imagenet',
    'danet-a-r50-t4_1xb32-amp-100e_imagenet-5',
    'gac-ms-r18-t4_8xb32-amp-250e_imagenet',
]


@pytest.mark.parametrize('name', quick_first(SINGLE, QUICK_IMAGENET))
def test_imagenet(name: str, data: Path, tmp_path: Path) -> None:
    train_and_test(tiny_imagenet(name, data, tmp_path))


@pytest.mark.parametrize(
    'name', quick_first(FIRST_PHASES, ['danet-a-r18-t4_8xb32-amp-45e_imagenet'])
)
def test_two_phases(name: str, data: Path, tmp_path: Path) -> None:
    first = tmp_path / 'first'
    train_and_test(tiny_imagenet(FIRST_PHASES[name], data, first))
    given = torch.load(first / 'epoch_1.pth', weights_only=False)['state_dict']
    second = tiny_imagenet(name, data, tmp_path)
    second.model.init_cfg.checkpoint = str(first / 'epoch_1.pth')
    model = build(second)
    model.init_weights()
    own = model.state_dict()
    assert own.keys() == given.keys()
    assert all(torch.equal(own[key], given[key]) for key in own)
    assert model.backbone.num_steps == 4
    train_and_test(second)


QUICK_EVENTS = ['cifar10_dvs/sew-add-wide-7b-t4_1xb16-amp-64e_cifar10-dvs']


@pytest.mark.parametrize('name', quick_first(EVENTS, QUICK_EVENTS))
def test_events(
    name: str, data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The whole network on a few files."""
    row, cfg = EVENTS[name], tiny(name, data, tmp_path)
    # the first files of CIFAR10-DVS have fewer events than frames
    for split, samples in (('train', [20, 21, 22, 23]), ('val', [8, 9]), ('test', [9])):
        cfg[f'{split}_dataloader'].dataset.indices = samples
    without_amp(cfg)
    shapes = []

    def note(module, inputs, outputs) -> None:
        if type(module).__name__ == 'SevenBNet':
            shapes.append((module.training, inputs[0].shape[1], outputs[0].shape[-3:]))

    with torch.nn.modules.module.register_module_forward_hook(note):
        train_and_test(cfg, iterations=2, all_learn=True)
    # at 128 pixels the last stage is of one
    size = (128 if row.wide else 32, 1, 1)
    # an epoch, its evaluation, and the test
    assert (
        shapes == [(True, row.train_steps, size)] * 2 + [(False, row.steps, size)] * 2
    )
