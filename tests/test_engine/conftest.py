"""A runner of a few iterations, with hooks and TensorBoard."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from mmengine.runner import Runner
from test_tools.conftest import separate_run
from torch import nn

from .test_train_steps import STEPS, Frames, make_loader, no_evaluation

Make = Callable[..., Runner]


@pytest.fixture
def make_runner(tmp_path: Path) -> Iterator[Make]:
    """Return what makes runners of one folder."""
    number = iter(range(9))

    def make(model: nn.Module, hooks: list[Any], epochs: int = 2, **settings: Any):
        cfg: dict[str, Any] = dict(
            work_dir=str(tmp_path),
            train_dataloader=make_loader(Frames(STEPS, 2, 8, 8)),
            train_cfg=dict(by_epoch=True, max_epochs=epochs),
            optim_wrapper=dict(optimizer=dict(type='SGD', lr=0.1)),
            custom_hooks=hooks,
            default_hooks=dict(logger=dict(type='LoggerHook', interval=1)),
            visualizer=dict(
                type='Visualizer',
                vis_backends=[
                    dict(type='LocalVisBackend'),
                    dict(type='TensorboardVisBackend'),
                ],
                name=f'{tmp_path.name}-{next(number)}',
            ),
            randomness=dict(seed=0),
            default_scope='mmpretrain',
            experiment_name=f'{tmp_path.name}-{next(number)}',
            **no_evaluation(),
        )
        return Runner(model, **(cfg | settings))

    with separate_run():
        yield make
