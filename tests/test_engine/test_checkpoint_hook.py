"""Checkpoints: whole at every moment, and resumed as if nothing had happened."""

import errno
import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from mmengine.runner import Runner
from mmengine_instances import separate_run

from mmsnn.engine.hooks.checkpoint import STATE, AtomicCheckpointHook
from mmsnn.utils import atomic_files
from mmsnn.utils.checkpoints import read_checkpoint
from mmsnn.utils.errors import UserError
from mmsnn.utils.resume import find_start

from .killed_saves import kill_each_save
from .noisy_regression import NoisyRegression, make_config, train


@pytest.fixture(autouse=True)
def _own_run() -> Iterator[None]:
    with separate_run():
        yield


def final_state(work_dir: Path) -> dict[str, Any]:
    """Return what a training leaves: its last and its best checkpoint."""
    (best,) = work_dir.glob('best_*.pth')
    last = torch.load(work_dir / 'epoch_3.pth', weights_only=False)
    return dict(
        best=best.name,
        best_weights=torch.load(best, weights_only=False)['state_dict'],
        **{key: last[key] for key in ('state_dict', 'ema_state_dict', 'optimizer')},
        generators=last[STATE],
        score=last['message_hub']['runtime_info']['best_score'],
    )


def flat(value: Any) -> list[Any]:
    """Return the values in nested containers, with what they are named by."""
    if isinstance(value, torch.Tensor):
        return value.tolist()
    if isinstance(value, dict):
        return [(key, flat(inner)) for key, inner in value.items()]
    return [flat(v) for v in value] if isinstance(value, list | tuple) else [value]


@pytest.fixture(scope='module')
def reference(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What an uninterrupted training leaves."""
    work_dir = tmp_path_factory.mktemp('reference')
    with separate_run():
        train(make_config(work_dir))
    return final_state(work_dir)


def test_killed_at_every_step(tmp_path: Path, reference: dict[str, Any]) -> None:
    work_dir = tmp_path / 'run'
    resumed: set[tuple[int, bool, bool]] = set()

    def inspect() -> None:
        named = (work_dir / 'last_checkpoint').read_text()
        assert read_checkpoint(named) is not None
        cfg = make_config(work_dir)
        start, _ = find_start(cfg, 'auto')
        assert start is not None
        best = start.checkpoint['message_hub']['runtime_info']['best_ckpt']
        assert read_checkpoint(best) is not None
        epoch = start.checkpoint['meta']['epoch']
        kind = (epoch, start.checkpoint[STATE]['evaluated'], start.path == named)
        if kind not in resumed:
            resumed.add(kind)
            with separate_run():
                train(cfg)
            assert flat(final_state(work_dir)) == flat(reference)
            assert len(list(work_dir.glob('*.pth'))) == 2
            assert not list(work_dir.glob('.*'))

    runner = Runner.from_cfg(make_config(work_dir))
    killed = kill_each_save(runner, 1, inspect)
    assert killed > 20
    # saved, and named; evaluated and saved again
    expected = {(1, True, True), (2, False, False), (2, False, True), (2, True, True)}
    assert resumed == expected


def test_a_worker_process_draws_the_same_when_resumed(tmp_path: Path) -> None:
    """One that lives on has drawn numbers that the new one must go on from."""
    settings = {
        'train_dataloader.num_workers': 1,
        'train_dataloader.persistent_workers': True,
        'param_scheduler': None,
    }
    runs = [dict(by_epoch=True, max_epochs=stop) for stop in (1, 2)]
    assert_resumes(tmp_path, 'epoch_2.pth', runs, settings)


@pytest.mark.parametrize(
    ('sampler', 'num_workers'),
    [('InfiniteSampler', 0), ('InfiniteSampler', 2), ('DefaultSampler', 2)],
)
def test_iterations_resume_where_they_were(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, sampler: str, num_workers: int
) -> None:
    # MMEngine waits two seconds whenever the data starts again
    monkeypatch.setattr('mmengine.runner.loops.time.sleep', lambda seconds: None)
    settings = {
        'train_dataloader.num_workers': num_workers,
        'train_dataloader.persistent_workers': num_workers > 0,
        'default_hooks.checkpoint.by_epoch': False,
        'default_hooks.checkpoint.interval': 3,
        'train_dataloader.sampler.type': sampler,
        'default_hooks.logger': dict(type='LoggerHook', log_metric_by_epoch=False),
        'param_scheduler': None,
    }
    runs = [dict(by_epoch=False, max_iters=stop, val_interval=3) for stop in (3, 6)]
    assert_resumes(tmp_path, 'iter_6.pth', runs, settings)


def assert_resumes(
    tmp_path: Path, last: str, runs: list[dict[str, Any]], settings: dict[str, Any]
) -> None:
    """Compare the last of ``runs`` with all of them, each resumed."""
    results = []
    for number in (1, len(runs)):
        work_dir = tmp_path / str(number)
        for run in runs[-number:]:
            cfg = make_config(work_dir, **settings)
            cfg.train_cfg = run
            find_start(cfg, 'auto')
            with separate_run():
                train(cfg)
        saved = torch.load(work_dir / last, weights_only=False)
        results.append([saved[key] for key in ('state_dict', 'optimizer', STATE)])
    assert flat(results[0]) == flat(results[1])


def test_the_best_of_each_metric(tmp_path: Path) -> None:
    """Only the files of the metric that became better are replaced."""
    cfg = make_config(tmp_path)
    cfg.default_hooks.checkpoint.update(
        save_best=['mean/error', 'mean/epoch'], rule=['less', 'less']
    )
    train(cfg)
    best = sorted(path.name for path in tmp_path.glob('best_*.pth'))
    assert best == ['best_mean_epoch_epoch_1.pth', 'best_mean_error_epoch_3.pth']


def test_a_checkpoint_deletes_nothing_elsewhere(tmp_path: Path) -> None:
    """It holds paths of files that are to be deleted, and may come from anywhere."""
    victims = [tmp_path / name for name in ('best_a.pth', 'b.pth', 'c')]
    for victim in victims:
        victim.touch()
    cfg = make_config(tmp_path / 'run')
    cfg.train_cfg.max_epochs = 1
    with separate_run():
        train(cfg)
    path = tmp_path / 'run' / 'epoch_1.pth'
    checkpoint = torch.load(path, weights_only=False)
    (tmp_path / 'run' / 'best_').mkdir()
    checkpoint[STATE]['outdated'] = ['best_/../../c', '../b.pth', str(victims[0])]
    info = checkpoint['message_hub']['runtime_info']
    info.update(best_ckpt=str(victims[0]), best_score=99.0)
    torch.save(checkpoint, path)
    cfg = make_config(tmp_path / 'run')
    find_start(cfg, 'auto')
    train(cfg)
    assert list((tmp_path / 'run').glob('best_*.pth'))
    assert all(victim.exists() for victim in victims)


def test_saved_weights_are_contiguous() -> None:
    strided = torch.rand(4, 3, 3, 3).contiguous(memory_format=torch.channels_last)
    model = {'weight': strided, 'bias': torch.rand(4)}
    averaged = {'weight': strided + 1}
    checkpoint = {'state_dict': dict(model), 'ema_state_dict': dict(averaged)}
    AtomicCheckpointHook().before_save_checkpoint(None, checkpoint)
    for section, before in zip(checkpoint.values(), (model, averaged), strict=True):
        assert section.keys() == before.keys()
        for name, weight in section.items():
            assert weight.is_contiguous()
            assert torch.equal(weight, before[name])
    assert not strided.is_contiguous()


def test_unknown_metric(tmp_path: Path) -> None:
    cfg = make_config(tmp_path)
    cfg.default_hooks.checkpoint.save_best = 'mAP'
    with pytest.raises(UserError, match=r'save_best .* mean/error.*, but got mAP'):
        train(cfg)


@pytest.mark.parametrize('epoch', [2, 3])
def test_full_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, epoch: int) -> None:
    """One line, and everything older is intact."""
    flush = os.fsync
    full = f'epoch_{epoch}.pth'

    def fsync(descriptor: int) -> None:
        if full in os.readlink(f'/proc/self/fd/{descriptor}'):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        flush(descriptor)

    monkeypatch.setattr(atomic_files.os, 'fsync', fsync)
    with pytest.raises(UserError, match='No space left on device') as caught:
        train(make_config(tmp_path))
    assert str(tmp_path) in str(caught.value)
    cfg = make_config(tmp_path)
    start, notes = find_start(cfg, 'auto')
    assert start is not None
    assert start.path == str(tmp_path / f'epoch_{epoch - 1}.pth')
    assert not notes
    assert not list(tmp_path.glob('.*'))


def test_too_little_room(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cfg = make_config(tmp_path)
    usage = shutil.disk_usage(tmp_path)
    weights = sum(t.nbytes for t in NoisyRegression().state_dict().values())
    parameters = sum(t.nbytes for t in NoisyRegression().parameters())
    # weights and their average in 4 files, a momentum in 2
    needed = 2 * 4 * weights + 2 * parameters
    free = iter([needed - 1, needed])
    monkeypatch.setattr(
        shutil, 'disk_usage', lambda folder: usage._replace(free=next(free))
    )
    message = f'{tmp_path}.* GiB are free'
    with separate_run(), pytest.raises(UserError, match=message):
        train(cfg)
    assert not list(tmp_path.glob('*.pth'))
    train(make_config(tmp_path))
    assert list(tmp_path.glob('*.pth'))
