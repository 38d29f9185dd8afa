"""The CIFAR configs at work: an epoch on tiny data in the real layout."""

import hashlib
import pickle
import re
from collections.abc import Iterator
from copy import deepcopy
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from mmengine.config import Config
from mmengine.registry import MODELS, DefaultScope
from mmpretrain.datasets import CIFAR10, CIFAR100
from mmpretrain.structures import DataSample
from torch import Tensor, nn

from mmsnn.utils.cpu import without_amp
from test_configs.cifar_papers import FILES, SEW_FILES, SG_FILES, cached
from test_configs.narrow import narrow
from test_configs.runs import images, quick_first, train_and_test


def write_cifar(folder: Path, dataset: type[CIFAR10]) -> list[list[list[str]]]:
    """Write 10 training and 8 test images as CIFAR's files have them.

    Returns:
        The data set's ``train_list`` and ``test_list``, with these files' check sums.
    """
    rng = np.random.default_rng(0)
    key = 'fine_labels' if dataset is CIFAR100 else 'labels'
    (folder / dataset.base_folder).mkdir(parents=True)
    lists = []
    for files, total in ((dataset.train_list, 10), (dataset.test_list, 8)):
        lists.append([])
        for file, _ in files:
            number = total // len(files)
            images = rng.integers(0, 256, (number, 3072)).astype(np.uint8)
            labels = rng.integers(0, len(dataset.METAINFO['classes']), number).tolist()
            content = pickle.dumps({'data': images, key: labels}, protocol=2)
            (folder / dataset.base_folder / file).write_bytes(content)
            lists[-1].append([file, hashlib.md5(content).hexdigest()])
    return lists


@pytest.fixture(scope='module')
def data(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A folder with ``cifar10`` and ``cifar100``, which MMPretrain takes for whole."""
    root = tmp_path_factory.mktemp('data')
    with pytest.MonkeyPatch.context() as patch:
        for name, dataset in (('cifar10', CIFAR10), ('cifar100', CIFAR100)):
            train_list, test_list = write_cifar(root / name, dataset)
            patch.setattr(dataset, 'train_list', train_list)
            patch.setattr(dataset, 'test_list', test_list)
        yield root


def small(name: str, data: Path, work_dir: Path) -> Config:
    """Return a config of one epoch with a narrow network on little data."""
    cfg = deepcopy(cached(name))
    narrow(cfg)
    folder, _, title = name.partition('/')
    for split in ('train', 'val', 'test'):
        loader = cfg[f'{split}_dataloader']
        assert loader.dataset.data_root == f'data/{folder}/'
        loader.dataset.update(data_root=str(data / folder), download=False)
        loader.update(batch_size=4, num_workers=0, persistent_workers=False)
    cfg.merge_from_dict(
        {
            'train_cfg.max_epochs': 1,
            'work_dir': str(work_dir),
            'experiment_name': f'{title}-{work_dir.name}',
            'log_level': 'WARNING',
        }
    )
    return cfg


# Of each kind of network the smallest one.
QUICK = [
    name
    for name in FILES
    if re.search(r'/sg-r10-asd|cifar100/.*-r10-|/gac-.*-t2|cifar10/ms-', name)
    or '/sew-add-10b-atan' in name
]


@pytest.mark.parametrize('name', quick_first(FILES, QUICK))
def test_an_epoch_and_an_evaluation(name: str, data: Path, tmp_path: Path) -> None:
    cfg = small(name, data, tmp_path)
    if '-constant_' in name:
        # gradients explode: the SEW paper's Table 9 has the accuracy of chance
        cfg.optim_wrapper.optimizer.lr = 1e-8
    assert without_amp(cfg) == (name in SG_FILES or name in SEW_FILES)
    train_and_test(cfg)


@pytest.mark.parametrize('folder', ['cifar10', 'cifar100'])
def test_training_and_testing_take_different_images(
    folder: str, data: Path, tmp_path: Path
) -> None:
    cfg = small(next(n for n in FILES if n.startswith(f'{folder}/')), data, tmp_path)
    assert len(images(cfg.train_dataloader)) == 10
    assert len(images(cfg.test_dataloader)) == 8
    assert images(cfg.train_dataloader).isdisjoint(images(cfg.test_dataloader))


def preprocessor(name: str) -> nn.Module:
    """Return what a config's model does to images and labels."""
    cfg = deepcopy(cached(name))
    narrow(cfg)
    with DefaultScope.overwrite_default_scope(cfg.default_scope):
        return MODELS.build(cfg.model).data_preprocessor


def batch(images: Tensor) -> dict[str, Any]:
    samples = [DataSample().set_gt_label(label) for label in range(len(images))]
    return dict(inputs=images, data_samples=samples)


def test_cutmix_mixes_about_half_of_the_training_batches() -> None:
    name = 'cifar10/gac-ms-r18-t2_1xb64-250e_cifar10'
    images = torch.randint(0, 256, (4, 3, 32, 32))
    prepare = preprocessor(name)
    plain = prepare(batch(images))['inputs']
    mixed = 0
    for _ in range(40):
        prepared = prepare(batch(images), training=True)
        inputs = prepared['inputs']
        scores = torch.stack([s.gt_score for s in prepared['data_samples']])
        assert torch.allclose(scores.sum(1), torch.ones(4))
        if torch.equal(inputs, plain):
            assert torch.equal(scores, torch.eye(4, 10))
        else:
            mixed += 1
            # as much of another label as there is of another image
            changed = (inputs != plain).any(1).float().mean((1, 2))
            foreign = 1 - scores.diagonal()
            assert torch.allclose(changed, foreign, atol=0.01)
    assert 8 < mixed < 32


# Published statistics of the training images' pixels, of 255.
MEAN = {10: (0.4914, 0.4822, 0.4465), 100: (0.5071, 0.4865, 0.4409)}
STD = {10: (0.2470, 0.2435, 0.2616), 100: (0.2673, 0.2564, 0.2762)}


@pytest.mark.parametrize('classes', [10, 100])
def test_images_get_zero_mean_and_unit_variance(classes: int) -> None:
    """Section 5.1.1 of the SG paper."""
    name = f'cifar{classes}/sg-r18-asd_1xb32-amp-200e_cifar{classes}'
    mean = torch.tensor(MEAN[classes]).view(1, 3, 1, 1) * 255
    std = torch.tensor(STD[classes]).view(1, 3, 1, 1) * 255
    inputs = preprocessor(name)(batch(torch.cat([mean, mean + std])))['inputs']
    assert torch.allclose(inputs[0], torch.zeros(3, 1, 1), atol=2e-3)
    assert torch.allclose(inputs[1], torch.ones(3, 1, 1), atol=2e-3)
