"""Checks of configs and data, apart from the tools."""

from pathlib import Path
from typing import Any

import pytest
from mmengine.config import Config

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
def whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """A data set whose files are there, in the current folder."""
    (tmp_path / 'images').mkdir()
    (tmp_path / 'train.json').touch()
    monkeypatch.chdir(tmp_path)
    return dict(
        type='CocoDataset',
        data_root=str(tmp_path),
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
def test_good_data(whole: dict[str, Any], change: dict[str, Any]) -> None:
    check_data(make_config(whole | change), ['train', 'val', 'test'])


@pytest.mark.parametrize('where', ['dataset', 'datasets.1', 'dataset.datasets.0'])
def test_wrapped_data_sets(whole: dict[str, Any], where: str) -> None:
    def wrap(inner: dict[str, Any]) -> Config:
        for step in reversed(where.split('.')):
            if step == 'dataset':
                inner = dict(type='RepeatDataset', dataset=inner)
            elif step.isdigit():
                sets = [whole] * int(step) + [inner, whole]
                inner = dict(type='ConcatDataset', datasets=sets)
        return make_config(inner)

    check_data(wrap(whole), ['train'])
    cfg = wrap(whole | dict(ann_file='none.json'))
    with pytest.raises(UserError) as caught:
        check_data(cfg, ['train'])
    path = f'{whole["data_root"]}/none.json'
    name = f'train_dataloader.dataset.{where}.ann_file'
    assert str(caught.value) == f'{name}: {path!r} does not exist'
    # only the named splits
    check_data(cfg, ['val', 'test'])


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


EVALUATOR: dict[str, Any] = dict(type='Evaluator')


@pytest.mark.parametrize(
    ('evaluator', 'names'),
    [
        (None, []),
        (dict(type='A'), ['val_evaluator']),
        ([dict(type='A'), dict(type='B')], ['val_evaluator.0', 'val_evaluator.1']),
        (EVALUATOR | dict(metrics=[dict(type='A')]), ['val_evaluator.metrics.0']),
        (EVALUATOR | dict(metrics=dict(type='A')), ['val_evaluator.metrics']),
    ],
)
def test_metric_configs(evaluator: Any, names: list[str]) -> None:
    cfg = Config(dict(val_evaluator=evaluator))
    assert [name for name, _ in metric_configs(cfg, 'val')] == names


def test_metric_annotations(whole: dict[str, Any]) -> None:
    """Also of data sets that nobody knows."""
    files = ('A', 'train.json'), ('B', 'none.json')
    metrics = [dict(type=type_, ann_file=file) for type_, file in files]
    loader = dict(dataset=whole | dict(type='Mine'))
    cfg = Config(dict(val_dataloader=loader, val_evaluator=metrics))
    with pytest.raises(UserError, match=r'^val_evaluator\.1\.ann_file: .*none\.json'):
        check_data(cfg, ['val'])


@pytest.mark.parametrize('kind', ['Pretrained', 'mmsnn.PretrainedResNet'])
def test_pretrained_in_lists_and_remote(tmp_path: Path, kind: str) -> None:
    here = tmp_path / 'here.pth'
    here.touch()
    found = [
        dict(type=kind, checkpoint=name)
        for name in (str(here), 'torchvision://resnet18', 'no.pth')
    ]
    model = dict(backbone=dict(init_cfg=found[0]), neck=[dict(init_cfg=found[1])])
    check_pretrained(Config(dict(model=model)))
    model['neck'] += [dict(init_cfg=[found[2]])]
    with pytest.raises(UserError, match=r'^model\.neck\.1\.init_cfg\.0\.checkpoint'):
        check_pretrained(Config(dict(model=model)))


def test_innermost_dataset_is_the_configs_own() -> None:
    inner = dict(type='C', datasets=[dict(type='A', pipeline=[])])
    cfg = make_config(dict(type='R', dataset=inner))
    innermost_dataset(cfg.train_dataloader.dataset).pipeline = [1]
    assert cfg.train_dataloader.dataset.dataset.datasets[0].pipeline == [1]


@pytest.mark.parametrize('given', [None, dict(type='ConcatDataset', datasets=[])])
def test_no_innermost_dataset(given: Any) -> None:
    with pytest.raises(UserError, match='needs a data set, but'):
        innermost_dataset(given)


def test_is_remote() -> None:
    for path in ('http://a/b.pth', 'torchvision://resnet18', 's3:bucket/x'):
        assert is_remote(path) is True
    for path in ('data/coco', '/data/coco', 's3/x'):
        assert is_remote(path) is False
