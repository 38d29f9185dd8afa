"""A classification config at work on little data, and what must come of it."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest
import torch
from mmengine.config import Config
from mmengine.registry import DATASETS, DefaultScope
from mmengine.runner import Runner
from mmengine_instances import separate_run


def quick_first(names: Iterable[str], quick: Iterable[str]) -> list[Any]:
    """Return names as parameters of a test, slow ones unless they are the quick."""
    names, quick = list(names), list(quick)
    assert set(quick) <= set(names)
    slow = [name for name in names if name not in quick]
    return [*quick, *(pytest.param(name, marks=pytest.mark.slow) for name in slow)]


def shorten(cfg: Config, work_dir: Path, batch_size: int = 4) -> None:
    """Make a config one of a single epoch of few samples, in place."""
    for split in ('train', 'val', 'test'):
        loader = cfg[f'{split}_dataloader']
        loader.update(batch_size=batch_size, num_workers=0, persistent_workers=False)
    cfg.merge_from_dict(
        {
            'train_cfg.max_epochs': 1,
            'work_dir': str(work_dir),
            'experiment_name': f'{Path(cfg.filename).stem}-{work_dir.name}',
            'log_level': 'WARNING',
            'randomness.seed': 0,
        }
    )


def train_and_test(cfg: Config, iterations: int = 3, all_learn: bool = False) -> None:
    """Run an epoch and an evaluation, and check what they give."""
    with separate_run():
        runner = Runner.from_cfg(cfg)
        before = {n: p.clone() for n, p in runner.model.named_parameters()}
        runner.train()
        metrics = runner.test()
    parameters = dict(runner.model.named_parameters())
    changed = [n for n, p in parameters.items() if not torch.equal(before[n], p)]
    assert runner.iter == iterations
    assert changed
    assert not all_learn or changed == [*parameters]
    assert all(p.isfinite().all() for p in parameters.values())
    assert metrics.keys() == {'accuracy/top1', 'accuracy/top5'}
    assert 0 <= metrics['accuracy/top1'] <= metrics['accuracy/top5'] <= 100
    assert (Path(cfg.work_dir) / 'epoch_1.pth').is_file()


def images(loader: Any) -> set[bytes]:
    """Return the images of a loader's data set."""
    with DefaultScope.overwrite_default_scope('mmpretrain'):
        dataset = DATASETS.build(loader.dataset)
    return {dataset.get_data_info(i)['img'].tobytes() for i in range(len(dataset))}
