"""Checks of configs and data, apart from the tools."""

from pathlib import Path
from typing import Any

import pytest
from mmengine.config import Config

from mmsnn.utils.config_files import load_config
from mmsnn.utils.errors import UserError
from mmsnn.utils.paths import is_remote
from mmsnn.utils.preflight import (
    check_data,
    check_pretrained,
    innermost_dataset,
    metric_configs,
)


def make_config(dataset: dict[str, Any], scope: str = 'mmdet') -> Config:
    return Config({'default_scope': scope, 'train_dataloader': {'dataset': dataset}})


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / 'images').mkdir()
    (tmp_path / 'train.json').touch()
    return tmp_path


def complete(root: Path) -> dict[str, Any]:
    return dict(
        type='CocoDataset',
        data_root=str(root),
        ann_file='train.json',
        data_prefix=dict(img='images/'),
    )


@pytest.mark.parametrize(
    'change',
    [
        {},
        dict(ann_file=''),
        dict(data_prefix=dict(img='')),
        dict(data_prefix='images'),
        dict(data_root=''),
        dict(data_root=None, ann_file='', data_prefix={}),
        dict(ann_file='https://example.org/train.json'),
        dict(data_root='s3://bucket/coco'),
        dict(data_root='nowhere', backend_args=dict(backend='petrel')),
    ],
)
def test_good_data(
    root: Path, change: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(root)
    check_data(make_config(complete(root) | change), ['train', 'val', 'test'])


@pytest.mark.parametrize(
    ('wrap', 'where'),
    [
        (lambda good, bad: dict(type='RepeatDataset', dataset=bad), 'dataset'),
        (
            lambda good, bad: dict(type='ConcatDataset', datasets=[good, bad]),
            'datasets.1',
        ),
        (
            lambda good, bad: dict(
                type='MultiImageMixDataset',
                dataset=dict(type='ConcatDataset', datasets=[bad, good]),
            ),
            'dataset.datasets.0',
        ),
    ],
)
def test_wrapped_data_sets(root: Path, wrap: Any, where: str) -> None:
    good = complete(root)
    check_data(make_config(wrap(good, good)), ['train'])
    cfg = make_config(wrap(good, good | dict(ann_file='none.json')))
    with pytest.raises(UserError) as caught:
        check_data(cfg, ['train'])
    assert str(caught.value) == (
        f"train_dataloader.dataset.{where}.ann_file: '{root}/none.json' does not exist"
    )


def test_only_the_named_splits(root: Path) -> None:
    check_data(make_config(complete(root) | dict(ann_file='no.json')), ['val', 'test'])


@pytest.mark.parametrize(
    ('dataset', 'missing'),
    [
        (dict(type='mmpretrain.CIFAR10', data_root='none'), False),
        (dict(type='CIFAR10', data_root='none', download=True), False),
        (dict(type='CIFAR10', data_root='none', download=False), True),
        (dict(type='CustomDataset', data_root='none'), True),
    ],
)
def test_data_sets_that_download_themselves(
    dataset: dict[str, Any], missing: bool
) -> None:
    cfg = make_config(dataset, scope='mmpretrain')
    if missing:
        with pytest.raises(UserError, match='data_root'):
            check_data(cfg, ['train'])
    else:
        check_data(cfg, ['train'])


@pytest.mark.parametrize(
    ('evaluator', 'names'),
    [
        (None, []),
        (dict(type='A'), ['val_evaluator']),
        ([dict(type='A'), dict(type='B')], ['val_evaluator.0', 'val_evaluator.1']),
        (
            dict(type='Evaluator', metrics=[dict(type='A')]),
            ['val_evaluator.metrics.0'],
        ),
        (dict(type='Evaluator', metrics=dict(type='A')), ['val_evaluator.metrics']),
    ],
)
def test_metric_configs(evaluator: Any, names: list[str]) -> None:
    cfg = Config(dict(val_evaluator=evaluator))
    assert [name for name, _ in metric_configs(cfg, 'val')] == names


def test_metric_annotations(root: Path) -> None:
    cfg = Config(
        dict(
            val_dataloader=dict(dataset=complete(root)),
            val_evaluator=[
                dict(type='A', ann_file=str(root / 'train.json')),
                dict(type='B', ann_file=str(root / 'none.json')),
            ],
        )
    )
    with pytest.raises(UserError, match=r'^val_evaluator\.1\.ann_file: .*none\.json'):
        check_data(cfg, ['val'])


@pytest.mark.parametrize('kind', ['Pretrained', 'mmsnn.PretrainedResNet'])
def test_pretrained_in_lists_and_remote(tmp_path: Path, kind: str) -> None:
    here = tmp_path / 'here.pth'
    here.touch()
    found = [
        dict(type=kind, checkpoint=name)
        for name in (str(here), 'torchvision://resnet18')
    ]
    model = dict(backbone=dict(init_cfg=found[0]), neck=[dict(init_cfg=found[1])])
    check_pretrained(Config(dict(model=model)))
    model['neck'] += [dict(init_cfg=[dict(type=kind, checkpoint='no.pth')])]
    with pytest.raises(UserError, match=r'^model\.neck\.1\.init_cfg\.0\.checkpoint'):
        check_pretrained(Config(dict(model=model)))


def test_innermost_dataset_is_the_configs_own() -> None:
    cfg = make_config(
        dict(type='R', dataset=dict(type='C', datasets=[dict(type='A', pipeline=[])]))
    )
    innermost_dataset(cfg.train_dataloader.dataset).pipeline = [1]
    assert cfg.train_dataloader.dataset.dataset.datasets[0].pipeline == [1]


@pytest.mark.parametrize(
    ('path', 'remote'),
    [
        ('http://a/b.pth', True),
        ('torchvision://resnet18', True),
        ('s3:bucket/x', True),
        ('data/coco', False),
        ('/data/coco', False),
        ('s3/x', False),
    ],
)
def test_is_remote(path: str, remote: bool) -> None:
    assert is_remote(path) is remote


def test_options_are_merged(tmp_path: Path) -> None:
    path = tmp_path / 'config.py'
    path.write_text('a = dict(b=1, c=[dict(d=2)])\n')
    cfg = load_config(str(path), {'a.b': 3, 'a.c.0.d': 4})
    assert cfg.a == dict(b=3, c=[dict(d=4)])
