"""What tests of hooks that measure iterations look at."""

from pathlib import Path
from typing import Any

from mmengine.hooks import Hook
from mmengine.model import MMDistributedDataParallel
from mmengine.runner import Runner
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from torch import nn


class Spy(Hook):
    """Notes before and after each iteration what is registered on the model."""

    priority = 'LOWEST'

    def __init__(self) -> None:
        self.counts: list[tuple[int, int]] = []

    def before_train_iter(self, runner: Runner, *args: Any, **kwargs: Any) -> None:
        self.during = registered(runner.model)

    def after_train_iter(self, runner: Runner, *args: Any, **kwargs: Any) -> None:
        self.counts.append((self.during, registered(runner.model)))


def registered(model: nn.Module) -> int:
    """Return the number of hooks on the network inside a wrapper."""
    inner = model.module if isinstance(model, MMDistributedDataParallel) else model
    kinds = ('forward', 'forward_pre', 'backward', 'backward_pre')
    return sum(
        len(getattr(m, f'_{kind}_hooks')) for m in inner.modules() for kind in kinds
    )


def curves(folder: Path) -> dict[str, list[tuple[int, float]]]:
    """Return what TensorBoard shows of the runs of a folder, by curve."""
    found: dict[str, list[tuple[int, float]]] = {}
    for path in sorted(folder.glob('*/vis_data/events.*')):
        events = EventAccumulator(str(path)).Reload()
        for tag in events.Tags()['scalars']:
            points = [(e.step, e.value) for e in events.Scalars(tag)]
            found.setdefault(tag, []).extend(points)
    return found
