"""A sample passes the model before a run, and leaves no trace."""

import random
from collections.abc import Iterator
from copy import deepcopy
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from mmengine.config import Config
from mmengine.evaluator import BaseMetric
from mmengine.hooks import Hook
from mmengine.logging import MessageHub, MMLogger
from mmengine.registry import METRICS, TRANSFORMS, DefaultScope
from mmengine.runner import Runner
from mmengine.visualization import Visualizer
from test_configs.files import CONFIGS, load
from torch import nn

from mmsnn.engine.hooks import TrainStepsHook
from mmsnn.utils.dry_run import dry_run
from mmsnn.utils.errors import UserError

DIGITS = CONFIGS / 'digits' / 'sg-r10-asd_1xb64-30e_digits.py'


@TRANSFORMS.register_module()
class Remembering:
    """A transform that draws random numbers and keeps what it saw."""

    def __init__(self) -> None:
        self.seen = 0

    def __call__(self, results: dict[str, Any]) -> dict[str, Any]:
        self.seen += 1
        random.random()
        np.random.rand()
        torch.rand(1)
        return results


@METRICS.register_module()
class Counting(BaseMetric):
    def process(self, data_batch: Any, data_samples: Any) -> None:
        self.results.extend(data_samples)

    def compute_metrics(self, results: list) -> dict[str, float]:
        return {'count': len(results)}


@pytest.fixture(autouse=True)
def _separate() -> Iterator[None]:
    managers = (DefaultScope, MessageHub, MMLogger, Visualizer)
    before = [dict(manager._instance_dict) for manager in managers]
    yield
    for manager, instances in zip(managers, before, strict=True):
        manager._instance_dict.clear()
        manager._instance_dict.update(instances)


@pytest.fixture
def config(tmp_path: Path) -> Config:
    cfg = load(DIGITS)
    cfg.merge_from_dict(
        {
            'work_dir': str(tmp_path),
            'model.backbone.base_channels': 8,
            'model.neck.0.in_channels': [64],
            'model.head.in_channels': 64,
            'train_cfg.max_epochs': 1,
            'train_dataloader.batch_size': 8,
            'train_dataloader.dataset.indices': 16,
            'val_dataloader.dataset.indices': 8,
            'test_dataloader.dataset.indices': 8,
            'log_level': 'ERROR',
            'experiment_name': tmp_path.name,
            'custom_hooks': [],
        }
    )
    cfg.val_evaluator = cfg.test_evaluator = dict(type='Counting')
    cfg.train_dataloader.dataset.pipeline.insert(0, dict(type='Remembering'))
    for loader in (cfg.val_dataloader, cfg.test_dataloader):
        loader.dataset.pipeline = [dict(type='Remembering'), *loader.dataset.pipeline]
    return cfg


def states() -> list[Any]:
    name, keys, *rest = np.random.get_state()
    return [
        random.getstate(),
        name,
        keys.tolist(),
        rest,
        torch.get_rng_state().tolist(),
    ]


@pytest.mark.parametrize('mode', ['train', 'test'])
def test_it_leaves_no_trace(config: Config, mode: str) -> None:
    runner = Runner.from_cfg(config)
    loops = [runner.train_loop, runner.val_loop] if mode == 'train' else []
    loops = loops or [runner.test_loop]
    runner.model.eval()
    weights = deepcopy(runner.model.state_dict())
    before = states()
    dry_run(runner, mode)
    assert states() == before
    assert not any(module.training for module in runner.model.modules())
    assert all(parameter.grad is None for parameter in runner.model.parameters())
    for name, value in runner.model.state_dict().items():
        assert torch.equal(value, weights[name])
    for loop in loops:
        first = loop.dataloader.dataset.pipeline.transforms[0]
        assert first.seen == 0
        assert (
            not getattr(loop, 'evaluator', None)
            or loop.evaluator.metrics[0].results == []
        )


def test_a_training_is_the_same_with_it(config: Config) -> None:
    trained = []
    for dry in (True, False):
        runner = Runner.from_cfg(deepcopy(config))
        if dry:
            dry_run(runner, 'train')
        model = runner.train()
        trained.append((model.state_dict(), states()))
    (with_it, random_with), (without, random_without) = trained
    assert random_with == random_without
    for name, value in without.items():
        assert torch.equal(with_it[name], value), name


def test_hooks_that_adapt_the_model_to_training(config: Config) -> None:
    class Adapting(Hook):
        def adapt_for_training(self, model: nn.Module) -> None:
            model.head.fc = nn.Linear(64, 11)
            raise UserError('was asked')

    runner = Runner.from_cfg(config)
    runner.register_hook(Adapting())
    with pytest.raises(UserError, match='was asked'):
        dry_run(runner, 'train')
    assert runner.model.head.fc.out_features == 10
    dry_run(runner, 'test')


def test_training_with_fewer_steps(config: Config) -> None:
    config.model.neck[0].decoder = dict(type='Rate')
    runner = Runner.from_cfg(config)
    runner.register_hook(TrainStepsHook(train_steps=2))
    dry_run(runner, 'train')
    assert runner.model.neck[0].decoders[0].num_steps == 4


def test_a_model_that_does_not_fit(config: Config) -> None:
    config.model.head.in_channels = 65
    runner = Runner.from_cfg(config)
    with pytest.raises(UserError, match=r'train_dataloader .*\(head.fc, Linear\)'):
        dry_run(runner, 'train')
    with pytest.raises(UserError, match=r'test_dataloader .*\(head.fc, Linear\)'):
        dry_run(runner, 'test')


def test_an_evaluator_that_does_not_fit(config: Config) -> None:
    config.val_evaluator = dict(type='mmdet.CocoMetric')
    runner = Runner.from_cfg(config)
    with pytest.raises(UserError, match='val_evaluator does not take'):
        dry_run(runner, 'train')


@pytest.mark.parametrize('split', ['train', 'val'])
def test_nothing_to_load(config: Config, split: str) -> None:
    loader = config[f'{split}_dataloader']
    if split == 'train':
        loader.update(drop_last=True, batch_size=17)
    else:
        loader.dataset = dict(type='ConcatDataset', datasets=[loader.dataset])
    runner = Runner.from_cfg(config)
    if split == 'val':
        runner.val_loop.dataloader.dataset.cumulative_sizes[-1] = 0
    with pytest.raises(UserError, match=f'{split}_dataloader has no'):
        dry_run(runner, 'train')


@pytest.mark.parametrize('what', ['model', 'dataset', 'source'])
def test_what_cannot_be_copied_is_left_out(config: Config, what: str) -> None:
    config.model.head.in_channels = 65
    runner = Runner.from_cfg(config)
    loader = runner.test_loop.dataloader
    if what == 'model':
        runner.model.file = open(__file__)  # noqa: SIM115
    elif what == 'dataset':
        loader.dataset.file = open(__file__)  # noqa: SIM115
    else:
        loader.sampler.source_ratio = [1, 1]
    dry_run(runner, 'test')
    for holder in (runner.model, loader.dataset):
        if hasattr(holder, 'file'):
            holder.file.close()
