"""A sample passes the model before a run, and leaves no trace."""

import random
from collections.abc import Iterator
from copy import deepcopy
from typing import Any

import numpy as np
import pytest
import torch
from mmengine.config import Config
from mmengine.dataset import ConcatDataset
from mmengine.evaluator import BaseMetric
from mmengine.hooks import Hook
from mmengine.registry import METRICS, TRANSFORMS
from mmengine.runner import Runner
from mmengine_instances import separate_run
from test_configs.files import CONFIGS, load
from torch import nn
from torch.utils.data import DataLoader

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


@pytest.fixture(scope='module')
def config(tmp_path_factory: pytest.TempPathFactory) -> Config:
    """A small classifier on few digits; not to be changed."""
    work_dir = tmp_path_factory.mktemp('dry_run')
    cfg = load(DIGITS)
    cfg.merge_from_dict(
        {
            'work_dir': str(work_dir),
            'model.backbone.base_channels': 8,
            'model.neck.0.in_channels': [64],
            'model.neck.0.decoder': dict(type='Rate'),
            'model.head.in_channels': 64,
            'train_cfg.max_epochs': 1,
            'train_dataloader.batch_size': 8,
            'train_dataloader.dataset.indices': 16,
            'log_level': 'ERROR',
            'experiment_name': work_dir.name,
            'custom_hooks': [],
        }
    )
    cfg.val_evaluator = cfg.test_evaluator = dict(type='Counting')
    for split in ('train', 'val', 'test'):
        dataset = cfg[f'{split}_dataloader'].dataset
        dataset.indices = 16 if split == 'train' else 8
        dataset.pipeline = [dict(type='Remembering'), *dataset.pipeline]
    return cfg


@pytest.fixture(scope='module')
def built(config: Config) -> Runner:
    return Runner.from_cfg(deepcopy(config))


@pytest.fixture
def runner(built: Runner) -> Iterator[Runner]:
    """A runner whose model, hooks and loops may be changed."""
    hooks, fc = [*built.hooks], built.model.head.fc
    yield built
    built._hooks[:] = hooks
    built.model.head.fc = fc


def states() -> list[Any]:
    name, keys, *rest = np.random.get_state()
    here = torch.get_rng_state().tolist()
    return [random.getstate(), name, keys.tolist(), rest, here]


@pytest.mark.parametrize('mode', ['train', 'test'])
def test_it_leaves_no_trace(runner: Runner, mode: str) -> None:
    train = [runner.train_loop, runner.val_loop]
    runner.model.eval()
    weights = deepcopy(runner.model.state_dict())
    before = states()
    dry_run(runner, mode)
    assert states() == before
    assert not any(module.training for module in runner.model.modules())
    assert all(parameter.grad is None for parameter in runner.model.parameters())
    for name, value in runner.model.state_dict().items():
        assert torch.equal(value, weights[name])
    for loop in train if mode == 'train' else [runner.test_loop]:
        assert loop.dataloader.dataset.pipeline.transforms[0].seen == 0
        evaluator = getattr(loop, 'evaluator', None)
        assert not evaluator or evaluator.metrics[0].results == []


def test_a_training_is_the_same_with_it(config: Config) -> None:
    trained = []
    for dry in (True, False):
        with separate_run():
            runner = Runner.from_cfg(deepcopy(config))
            if dry:
                dry_run(runner, 'train')
            model = runner.train()
        trained.append((model.state_dict(), states()))
    (with_it, random_with), (without, random_without) = trained
    assert random_with == random_without
    for name, value in without.items():
        assert torch.equal(with_it[name], value), name


def test_hooks_that_adapt_the_model_to_training(runner: Runner) -> None:
    """Such as to fewer time steps."""
    runner.register_hook(TrainStepsHook(train_steps=2))
    dry_run(runner, 'train')
    assert runner.model.neck[0].decoders[0].num_steps == 4

    class Adapting(Hook):
        raises = False

        def adapt_for_training(self, model: nn.Module) -> None:
            model.head.fc = nn.Linear(65, 10)
            if self.raises:
                raise UserError('was asked')

    hook = Adapting()
    runner.register_hook(hook)
    with pytest.raises(UserError, match=r'train_dataloader .*\(head.fc, Linear\)'):
        dry_run(runner, 'train')
    hook.raises = True
    with pytest.raises(UserError, match='^was asked$'):
        dry_run(runner, 'train')
    assert runner.model.head.fc.in_features == 64
    dry_run(runner, 'test')


@pytest.mark.parametrize('mode', ['train', 'test'])
def test_a_model_that_does_not_fit(runner: Runner, mode: str) -> None:
    runner.model.head.fc = nn.Linear(65, 10)
    with pytest.raises(UserError, match=rf'{mode}_dataloader .*\(head.fc, Linear\)'):
        dry_run(runner, mode)


def test_an_evaluator_that_does_not_fit(
    runner: Runner, monkeypatch: pytest.MonkeyPatch
) -> None:
    metric = METRICS.build(dict(type='mmdet.CocoMetric'))
    monkeypatch.setattr(runner.val_loop.evaluator, 'metrics', [metric])
    with pytest.raises(UserError, match='val_evaluator does not take'):
        dry_run(runner, 'train')


@pytest.mark.parametrize('split', ['train', 'val'])
def test_nothing_to_load(
    runner: Runner, split: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    dataset = getattr(runner, f'{split}_loop').dataloader.dataset
    if split == 'train':
        options = dict(batch_size=17, drop_last=True)
    else:
        dataset, options = ConcatDataset([dataset]), {}
        dataset.cumulative_sizes[-1] = 0
    loader = DataLoader(dataset, **options)
    monkeypatch.setattr(getattr(runner, f'{split}_loop'), 'dataloader', loader)
    with pytest.raises(UserError, match=f'{split}_dataloader has no'):
        dry_run(runner, 'train')


@pytest.mark.parametrize('what', ['model', 'dataset', 'source'])
def test_what_cannot_be_copied_is_left_out(
    runner: Runner, what: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    runner.model.head.fc = nn.Linear(65, 10)
    loader = runner.test_loop.dataloader
    with open(__file__) as file:
        if what == 'model':
            monkeypatch.setattr(runner.model, 'file', file, raising=False)
        elif what == 'dataset':
            monkeypatch.setattr(loader.dataset, 'file', file, raising=False)
        else:
            monkeypatch.setattr(loader.sampler, 'source_ratio', [1, 1], raising=False)
        dry_run(runner, 'test')
