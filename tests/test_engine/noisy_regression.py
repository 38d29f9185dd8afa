"""A training of milliseconds that uses every random number generator."""

import itertools
import random
from pathlib import Path
from typing import Any

import numpy as np
import torch
from mmengine.config import Config
from mmengine.evaluator import BaseMetric
from mmengine.logging import MessageHub
from mmengine.model import BaseModel
from mmengine.registry import DATASETS, METRICS, MODELS
from mmengine.runner import Runner
from torch import nn
from torch.utils.data import Dataset

SAMPLES = 8
_runs = itertools.count()


@DATASETS.register_module()
class NoisySamples(Dataset):
    """Samples with random noise from all generators."""

    metainfo: dict[str, Any] = {}

    def __init__(self, noise: float = 0.1) -> None:
        self.noise = noise

    def __len__(self) -> int:
        return SAMPLES

    def __getitem__(self, index: int) -> dict[str, torch.Tensor]:
        inputs = torch.arange(4.0).sub(index).sin()
        drawn = random.random() + np.random.rand() + torch.rand(4)
        return dict(inputs=inputs + self.noise * drawn, targets=inputs.sum())


@MODELS.register_module()
class NoisyRegression(BaseModel):
    """Two layers with a norm and dropout between them."""

    def __init__(self, width: int = 8, dropout: float = 0.2) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.Linear(4, width),
            nn.BatchNorm1d(width),
            nn.Dropout(dropout),
            nn.Linear(width, 1),
        )

    def forward(
        self, inputs: torch.Tensor, targets: torch.Tensor, mode: str = 'tensor'
    ) -> Any:
        error = (self.layers(inputs)[:, 0] - targets).square()
        return dict(loss=error.mean()) if mode == 'loss' else list(error)


@METRICS.register_module()
class MeanError(BaseMetric):
    """The mean of the errors that ``NoisyRegression`` predicts, and when."""

    default_prefix = 'mean'

    def process(self, data_batch: Any, data_samples: Any) -> None:
        self.results += [float(error) for error in data_samples]

    def compute_metrics(self, results: list[float]) -> dict[str, float]:
        epoch = MessageHub.get_current_instance().get_info('epoch', 0)
        return dict(error=sum(results) / len(results), epoch=epoch)


def make_config(work_dir: Path, **settings: Any) -> Config:
    """Return the config of a training of three epochs, evaluated after each."""
    loader = dict(
        batch_size=4,
        num_workers=0,
        sampler=dict(type='DefaultSampler', shuffle=True),
        collate_fn=dict(type='default_collate'),
        dataset=dict(type='NoisySamples'),
    )
    clean = dict(loader, dataset=dict(type='NoisySamples', noise=0.0))
    cfg = Config(
        dict(
            default_scope='mmengine',
            work_dir=str(work_dir),
            # MMEngine shares what runs of one name, by default of one second, store
            experiment_name=f'noisy-regression-{next(_runs)}',
            model=dict(type='NoisyRegression'),
            train_dataloader=loader,
            val_dataloader=clean,
            test_dataloader=clean,
            val_evaluator=dict(type='MeanError'),
            test_evaluator=dict(type='MeanError'),
            train_cfg=dict(by_epoch=True, max_epochs=3),
            val_cfg={},
            test_cfg={},
            optim_wrapper=dict(optimizer=dict(type='SGD', lr=0.05, momentum=0.9)),
            param_scheduler=[dict(type='ExponentialLR', gamma=0.9)],
            custom_hooks=[dict(type='EMAHook', momentum=0.3)],
            default_hooks=dict(
                checkpoint=dict(
                    type='mmsnn.AtomicCheckpointHook',
                    interval=1,
                    max_keep_ckpts=1,
                    save_best='mean/error',
                    rule='less',
                )
            ),
            randomness=dict(seed=0),
            log_level='ERROR',
        )
    )
    cfg.merge_from_dict(settings)
    return cfg


def train(cfg: Config) -> Runner:
    """Train by a config, and return the runner."""
    runner = Runner.from_cfg(cfg)
    runner.train()
    # garbage collection would wait five seconds for each persistent worker
    workers = runner.train_dataloader._iterator
    if workers is not None:
        workers._shutdown_workers()
    return runner
