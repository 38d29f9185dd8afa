"""Cached frames: whole or not there, resumed, made again where damaged."""

import multiprocessing
import os
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mmsnn.datasets.events import CIFAR10DVS, DVS128Gesture, prepare_event_frames
from mmsnn.datasets.events import frames as frames_module
from mmsnn.datasets.events.files import EventFile
from mmsnn.datasets.events.frames import CACHE_FOLDER, FrameCache
from mmsnn.utils.errors import UserError

from .event_files import count, make_events, write_aedat2, write_cifar10_dvs

PER_CLASS = 2
TOTAL = 10 * PER_CLASS
KEY = 'airplane/cifar10_airplane_0'


@pytest.fixture(scope='module')
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp('cifar10_dvs')
    write_cifar10_dvs(root, PER_CLASS)
    return root


@pytest.fixture
def root(source: Path, tmp_path: Path) -> Path:
    """A copy of the data set, without frames."""
    return shutil.copytree(source, tmp_path / 'set')


@pytest.fixture
def file(root: Path) -> EventFile:
    return CIFAR10DVS.find_files(root, 'train')[0]


@pytest.fixture
def cache(root: Path, file: EventFile) -> FrameCache:
    return FrameCache(root / CACHE_FOLDER, file.dataset, 4)


def prepare(root: Path, *args: int, **options: Any) -> Any:
    return prepare_event_frames('cifar10_dvs', root, 4, *args, **options)


def entries(root: Path) -> dict[str, tuple[int, int]]:
    """Name -> what changes when a file is replaced."""
    return {
        str(path.relative_to(root)): (path.stat().st_ino, path.stat().st_mtime_ns)
        for path in (root / CACHE_FOLDER).rglob('*')
        if path.is_file()
    }


def test_second_load_reads_no_events(
    cache: FrameCache, file: EventFile, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = cache.load(file, KEY)
    monkeypatch.setattr(frames_module, 'read_events', None)
    np.testing.assert_array_equal(cache.load(file, KEY), made)
    np.testing.assert_array_equal(made, count(make_events(0, 12), 4))


def test_num_steps_and_data_sets_do_not_mix(root: Path, file: EventFile) -> None:
    caches = [FrameCache(root, *key) for key in (('a', 4), ('a', 3), ('b', 4))]
    assert [len(cache.load(file, KEY)) for cache in caches] == [4, 3, 4]
    assert len({cache.folder for cache in caches}) == 3


def test_interrupted_preparation_is_resumed(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The 13th file is interrupted half-way through its write."""
    save = np.savez_compressed
    calls = []

    def save_or_stop(target, **arrays):
        calls.append(target)
        if len(calls) == 13:
            target.write(b'PK half a file')
            raise KeyboardInterrupt
        save(target, **arrays)

    with monkeypatch.context() as patch:
        patch.setattr(np, 'savez_compressed', save_or_stop)
        with pytest.raises(KeyboardInterrupt):
            prepare(root)
    before = entries(root)
    assert len(before) == 12
    assert prepare(root).made == TOTAL - 12
    after = entries(root)
    assert len(after) == TOTAL and before.items() <= after.items()
    assert prepare(root).made == 0
    assert entries(root) == after


def test_what_killed_processes_left_is_removed(
    root: Path, cache: FrameCache, file: EventFile
) -> None:
    cache.load(file, KEY)
    dead = cache.folder / f'{KEY}.npz.1-ab.part'
    alive = cache.folder / 'airplane/cifar10_airplane_1.npz.2-cd.part'
    for part in (dead, alive):
        part.write_bytes(b'PK half a file')
    os.utime(dead, (0, 0))
    # one that another process has just renamed
    (cache.folder / 'renamed.part').symlink_to('nowhere')
    assert prepare(root).made == TOTAL - 1
    assert not dead.exists() and alive.exists()


def _prepare_together(root: Path, barrier, results) -> None:
    barrier.wait()
    results.put(prepare(root).made)


def test_two_processes_at_once(root: Path) -> None:
    context = multiprocessing.get_context('fork')
    args = (root, context.Barrier(2), context.Queue())
    processes = [context.Process(target=_prepare_together, args=args) for _ in '12']
    for process in processes:
        process.start()
    made = [args[-1].get(timeout=60) for _ in processes]
    for process in processes:
        process.join()
        assert process.exitcode == 0
    assert TOTAL <= sum(made) <= 2 * TOTAL
    names = list(entries(root))
    assert len(names) == TOTAL and all(name.endswith('.npz') for name in names)
    assert prepare(root).made == 0


def test_two_that_make_the_same_entry_both_succeed(
    root: Path, cache: FrameCache, file: EventFile, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The second makes all of it while the first is about to rename its own."""
    second = FrameCache(root / CACHE_FOLDER, file.dataset, 4)
    rename = os.replace

    def rename_after_the_second(part, path):
        monkeypatch.setattr(os, 'replace', rename)
        second.load(file, KEY)
        rename(part, path)

    monkeypatch.setattr(os, 'replace', rename_after_the_second)
    made = cache.load(file, KEY)
    np.testing.assert_array_equal(second.load(file, KEY), made)
    assert len(entries(root)) == 1


def test_workers_make_the_same_frames(root: Path, tmp_path: Path) -> None:
    alone = prepare(root, cache_dir=tmp_path / 'a')
    both = prepare(root, 2, cache_dir=tmp_path / 'b')
    assert alone.made == both.made == TOTAL
    # ceil(0.9 * 2) for training, nothing for testing
    assert alone.samples == both.samples == {'train': 20, 'test': 0}
    for path in alone.folder.rglob('*.npz'):
        other = both.folder / path.relative_to(alone.folder)
        with np.load(path) as left, np.load(other) as right:
            np.testing.assert_array_equal(left['frames'], right['frames'])


def flip_a_byte(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[200] ^= 0xFF
    path.write_bytes(bytes(content))


def frames(values: np.ndarray) -> Callable[[Path], None]:
    def replace(path: Path) -> None:
        with np.load(path) as entry:
            origin = entry['origin']
        with path.open('wb') as target:
            np.savez(target, frames=values, origin=origin)

    return replace


DAMAGES: dict[str, Callable[[Path], object]] = {
    'truncated': lambda path: os.truncate(path, path.stat().st_size - 40),
    'empty': lambda path: path.write_bytes(b''),
    'a byte': flip_a_byte,
    'other shape': frames(np.zeros((4, 2, 64, 64), np.uint8)),
    'not a number': frames(np.full((4, 2, 128, 128), np.nan, np.float32)),
    'negative': frames(np.full((4, 2, 128, 128), -1)),
}


@pytest.mark.parametrize('damage', DAMAGES)
def test_damaged_entry_is_made_again(
    cache: FrameCache, file: EventFile, damage: str
) -> None:
    made = cache.load(file, KEY)
    path = cache.folder / f'{KEY}.npz'
    DAMAGES[damage](path)
    assert cache.prepare(file) == 1
    DAMAGES[damage](path)
    np.testing.assert_array_equal(cache.load(file, KEY), made)
    assert cache.prepare(file) == 0


def test_changed_or_missing_source(cache: FrameCache, file: EventFile) -> None:
    assert cache.load(file, KEY).sum() == 12
    write_aedat2(Path(file.path), make_events(5, 13))
    assert cache.load(file, KEY).sum() == 13
    Path(file.path).unlink()
    with pytest.raises(UserError, match=f"event file '{file.path}' cannot be read"):
        cache.load(file, KEY)


def test_damaged_sources_are_named_and_the_others_prepared(root: Path) -> None:
    """The first five of them."""
    damaged = [root / f'cat/cifar10_cat_{i}.aedat' for i in (0, 1)]
    for path in damaged:
        path.write_bytes(path.read_bytes()[:-3])
    with pytest.raises(UserError) as caught:
        prepare(root)
    message = str(caught.value)
    assert message.startswith(f'2 of {TOTAL} files cannot be used')
    assert all(str(path) in message for path in damaged)
    assert len(entries(root)) == TOTAL - 2
    for name in ('cat', 'dog', 'frog', 'deer'):
        for path in (root / name).iterdir():
            path.write_bytes(b'')
    with pytest.raises(UserError, match=f'8 of {TOTAL} files.*; and 3 more$'):
        prepare(root)


def test_a_recording_is_read_once_for_all_its_samples(
    gesture: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    reads = []
    read = frames_module.read_events
    monkeypatch.setattr(
        frames_module, 'read_events', lambda *args: reads.append(args) or read(*args)
    )
    (file,) = DVS128Gesture.find_files(gesture / 'DvsGesture', 'test')
    cache = FrameCache(tmp_path / 'frames', file.dataset, 4)
    sums = [int(cache.load(file, key).sum()) for key in file.samples]
    assert sums == [90] * 12
    assert len(reads) == 1


def test_a_sample_of_few_events_does_not_stop_the_others(
    gesture: Path, tmp_path: Path
) -> None:
    (file,) = DVS128Gesture.find_files(gesture / 'DvsGesture', 'test')
    first, second, *others = file.samples
    short = replace(file.samples[second], window=(1000, 1020))
    file = replace(file, samples={**file.samples, second: short})
    cache = FrameCache(tmp_path / 'frames', file.dataset, 4)
    cache.load(file, first)
    assert all(cache._path(key).exists() for key in others)
    with pytest.raises(UserError, match='from 1000 to 1020 us has 2 events'):
        cache.load(file, second)


def test_folder_that_cannot_be_written_to(root: Path, file: EventFile) -> None:
    blocked = root / 'blocked'
    blocked.write_text('a file')
    with pytest.raises(UserError, match='blocked.*give another cache_dir'):
        FrameCache(blocked, file.dataset, 4).load(file, KEY)
