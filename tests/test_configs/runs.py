"""A classification config at work on little data, and what must come of it."""

from collections.abc import Collection, Iterable
from pathlib import Path
from typing import Any

import pytest
import torch
from mmengine.config import Config
from mmengine.registry import DATASETS, DefaultScope
from mmengine.runner import Runner
from test_tools.conftest import separate_run


def quick_first(names: Iterable[str], quick: Collection[str]) -> list[Any]:
    """Return names as parameters of a test, slow ones unless they are the quick."""
    names = list(names)
    assert set(quick) <= set(names)
    slow = [name for name in names if name not in quick]
    return [*quick, *(pytest.param(name, marks=pytest.mark.slow) for name in slow)]


def train_and_test(cfg: Config) -> None:
    """Run an epoch of three batches and an evaluation, and check what they give."""
    with separate_run():
        runner = Runner.from_cfg(cfg)
        before = {n: p.clone() for n, p in runner.model.named_parameters()}
        runner.train()
        metrics = runner.test()
    parameters = dict(runner.model.named_parameters())
    assert runner.iter == 3
    assert any(not torch.equal(before[n], p) for n, p in parameters.items())
    assert all(p.isfinite().all() for p in parameters.values())
    assert metrics.keys() == {'accuracy/top1', 'accuracy/top5'}
    assert 0 <= metrics['accuracy/top1'] <= metrics['accuracy/top5'] <= 100
    assert (Path(cfg.work_dir) / 'epoch_1.pth').is_file()


def images(loader: Any) -> set[bytes]:
    """Return the images of a loader's data set."""
    with DefaultScope.overwrite_default_scope('mmpretrain'):
        dataset = DATASETS.build(loader.dataset)
    return {dataset.get_data_info(i)['img'].tobytes() for i in range(len(dataset))}
