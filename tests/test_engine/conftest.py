"""Runners of a few iterations, with hooks."""

import itertools
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch.distributed as dist
from mmengine.runner import Runner
from mmengine_instances import separate_run
from torch import nn

from .small_runs import NO_EVALUATION, make_loader


@pytest.fixture
def make_runner(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Callable[..., Runner]]:
    """Return what makes runners of one folder."""
    number = itertools.count()
    # MMEngine waits for two seconds at the end of each epoch of a loop by iterations
    monkeypatch.setattr('mmengine.runner.loops.time.sleep', lambda seconds: None)

    def make(model: nn.Module, hooks: list[Any], epochs: int = 1, **settings: Any):
        cfg: dict[str, Any] = dict(
            work_dir=str(tmp_path),
            train_dataloader=make_loader(),
            train_cfg=dict(by_epoch=True, max_epochs=epochs),
            optim_wrapper=dict(optimizer=dict(type='SGD', lr=0.1)),
            custom_hooks=hooks,
            default_hooks=dict(logger=dict(type='LoggerHook', interval=1)),
            randomness=dict(seed=0),
            default_scope='mmpretrain',
            experiment_name=f'{tmp_path.name}-{next(number)}',
            **NO_EVALUATION,
        )
        return Runner(model, **(cfg | settings))

    with separate_run():
        yield make


@pytest.fixture
def one_process(tmp_path: Path) -> Iterator[None]:
    """A distributed run of one process."""
    store = f'file://{tmp_path}/store'
    dist.init_process_group('gloo', init_method=store, rank=0, world_size=1)
    yield
    dist.destroy_process_group()
