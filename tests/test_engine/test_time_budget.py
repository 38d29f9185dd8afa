"""TimeBudgetHook: ends in time, with the schedule of its docstring."""

import math
from pathlib import Path
from typing import Any

import pytest
import torch
from mmengine.model import BaseModel
from mmengine.optim import OptimWrapper
from mmengine.runner import Runner
from torch import nn

from mmsnn.engine.hooks import TimeBudgetHook, time_budget

BASE = 0.5


class Clock:
    """A clock that the model moves by a second per step."""

    seconds = 0.0

    def monotonic(self) -> float:
        return self.seconds


class Model(BaseModel):
    def __init__(self, clock: Clock) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(1))
        self.clock = clock
        self.rates: list[float] = []

    def forward(self, *inputs: torch.Tensor, mode: str) -> dict[str, torch.Tensor]:
        self.clock.seconds += 1
        return dict(loss=(self.weight**2).sum())

    def train_step(self, data: Any, optim_wrapper: OptimWrapper) -> dict:
        self.rates.append(optim_wrapper.param_groups[0]['lr'])
        return super().train_step(data, optim_wrapper)


def train(folder: Path, clock: Clock, minutes: float, **options: Any) -> Runner:
    settings: dict[str, Any] = dict(
        train_cfg=dict(type='IterBasedTrainLoop', max_iters=10**9),
        default_hooks=dict(
            checkpoint=dict(type='CheckpointHook', by_epoch=False, interval=10**9)
        ),
    )
    runner = Runner(
        Model(clock),
        work_dir=str(folder),
        train_dataloader=dict(
            dataset=[torch.zeros(1)] * 8,
            batch_size=2,
            num_workers=0,
            sampler=dict(type='InfiniteSampler'),
        ),
        optim_wrapper=dict(optimizer=dict(type='SGD', lr=BASE)),
        custom_hooks=[dict(type='mmsnn.TimeBudgetHook', minutes=minutes)],
        log_level='WARNING',
        experiment_name=f'budget_{folder.name}',
        **{**settings, **options},
    )
    runner.train()
    return runner


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(time_budget, 'time', clock)
    return clock


def test_it_ends_in_time_with_the_schedule(clock: Clock, tmp_path: Path) -> None:
    runner = train(tmp_path, clock, minutes=2)
    assert runner.iter == runner.max_iters == 120
    expected = [
        BASE
        * min(1, 0.01 + 0.99 * i / 50)
        * (0.01 + 0.99 * (1 + math.cos(math.pi * i / 120)) / 2)
        for i in range(120)
    ]
    assert runner.model.rates == pytest.approx(expected)
    # other hooks know the last iteration
    assert (tmp_path / 'iter_120.pth').is_file()


def test_resumed_training_has_the_same_base(clock: Clock, tmp_path: Path) -> None:
    train(tmp_path, clock, minutes=1)
    rates = train(tmp_path, clock, minutes=1, resume=True).model.rates
    assert max(rates) == rates[0] == pytest.approx(BASE)


def test_a_machine_that_becomes_slower(clock: Clock, tmp_path: Path) -> None:
    forward = Model.forward

    def slow(self: Model, *inputs: torch.Tensor, mode: str) -> dict:
        self.clock.seconds += 3 * (self.clock.seconds > 60)
        return forward(self, *inputs, mode=mode)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Model, 'forward', slow)
        runner = train(tmp_path, clock, minutes=2)
    assert 118 <= clock.seconds <= 124
    assert runner.iter == pytest.approx(61 + 60 / 4, abs=2)


@pytest.mark.parametrize(
    ('options', 'part'),
    [
        (dict(train_cfg=dict(by_epoch=True, max_epochs=1)), 'EpochBasedTrainLoop'),
        (dict(param_scheduler=dict(type='ConstantLR', by_epoch=False)), 'scheduler'),
    ],
)
def test_what_does_not_fit(clock: Clock, tmp_path: Path, options, part) -> None:
    with pytest.raises(ValueError, match=part):
        train(tmp_path, clock, 1, **options)


def test_minutes_must_be_positive() -> None:
    with pytest.raises(ValueError, match='minutes must be .*0'):
        TimeBudgetHook(0)
