"""Cached frames: whole or not there, resumed, made again where damaged."""

import multiprocessing
import os
import shutil
from pathlib import Path

import numpy as np
import pytest

from mmsnn.datasets.events import CIFAR10DVS, DVS128Gesture, prepare_event_frames
from mmsnn.datasets.events import frames as frames_module
from mmsnn.datasets.events.files import EventFile
from mmsnn.datasets.events.frames import CACHE_FOLDER, FrameCache
from mmsnn.utils.errors import UserError

from .event_files import (
    count,
    make_events,
    write_aedat2,
    write_cifar10_dvs,
    write_dvs128_gesture,
)

PER_CLASS = 4


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


def only_key(file: EventFile) -> str:
    (key,) = file.samples
    return key


def entries(root: Path) -> dict[str, tuple[int, int]]:
    """Name -> what changes when a file is replaced."""
    return {
        str(path.relative_to(root)): (path.stat().st_ino, path.stat().st_mtime_ns)
        for path in (root / CACHE_FOLDER).rglob('*')
        if path.is_file()
    }


def test_second_load_reads_no_events(
    root: Path, file: EventFile, monkeypatch: pytest.MonkeyPatch
) -> None:
    cache = FrameCache(root / CACHE_FOLDER, file.dataset, 4)
    made = cache.load(file, only_key(file))
    monkeypatch.setattr(frames_module, 'read_events', None)
    np.testing.assert_array_equal(cache.load(file, only_key(file)), made)
    np.testing.assert_array_equal(made, count(make_events(0, 12), 4))


def test_num_steps_and_data_sets_do_not_mix(root: Path, file: EventFile) -> None:
    caches = [
        FrameCache(root, 'a', 4),
        FrameCache(root, 'a', 3),
        FrameCache(root, 'b', 4),
    ]
    shapes = [len(cache.load(file, only_key(file))) for cache in caches]
    assert shapes == [4, 3, 4]
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

    monkeypatch.setattr(np, 'savez_compressed', save_or_stop)
    with pytest.raises(KeyboardInterrupt):
        prepare_event_frames('cifar10_dvs', root, num_steps=4)
    monkeypatch.undo()
    before = entries(root)
    assert len(before) == 12

    total = 10 * PER_CLASS
    prepared = prepare_event_frames('cifar10_dvs', root, num_steps=4)
    assert prepared.made == total - 12
    after = entries(root)
    assert len(after) == total and before.items() <= after.items()
    assert prepare_event_frames('cifar10_dvs', root, num_steps=4).made == 0
    assert entries(root) == after


def test_what_killed_processes_left_is_removed(root: Path, file: EventFile) -> None:
    cache = FrameCache(root / CACHE_FOLDER, file.dataset, 4)
    cache.load(file, only_key(file))
    folder = cache.folder / 'airplane'
    dead = folder / 'cifar10_airplane_0.npz.1-ab.part'
    alive = folder / 'cifar10_airplane_1.npz.2-cd.part'
    for part in (dead, alive):
        part.write_bytes(b'PK half a file')
    os.utime(dead, (0, 0))
    prepared = prepare_event_frames('cifar10_dvs', root, num_steps=4)
    assert prepared.made == 10 * PER_CLASS - 1
    assert not dead.exists() and alive.exists()


def _prepare_together(root: Path, barrier, results) -> None:
    barrier.wait()
    results.put(prepare_event_frames('cifar10_dvs', root, num_steps=4).made)


def test_two_processes_at_once(root: Path) -> None:
    context = multiprocessing.get_context('fork')
    barrier, results = context.Barrier(2), context.Queue()
    processes = [
        context.Process(target=_prepare_together, args=(root, barrier, results))
        for _ in range(2)
    ]
    for process in processes:
        process.start()
    made = [results.get(timeout=60) for _ in processes]
    for process in processes:
        process.join()
        assert process.exitcode == 0
    total = 10 * PER_CLASS
    assert total <= sum(made) <= 2 * total
    names = list(entries(root))
    assert len(names) == total and all(name.endswith('.npz') for name in names)
    assert prepare_event_frames('cifar10_dvs', root, num_steps=4).made == 0


def test_two_that_make_the_same_entry_both_succeed(
    root: Path, file: EventFile, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The second makes all of it while the first is about to rename its own."""
    first, second = (FrameCache(root / CACHE_FOLDER, file.dataset, 4) for _ in range(2))
    rename = os.replace

    def rename_after_the_second(part, path):
        monkeypatch.setattr(os, 'replace', rename)
        second.load(file, only_key(file))
        rename(part, path)

    monkeypatch.setattr(os, 'replace', rename_after_the_second)
    made = first.load(file, only_key(file))
    np.testing.assert_array_equal(second.load(file, only_key(file)), made)
    assert len(entries(root)) == 1


def test_workers_make_the_same_frames(root: Path, tmp_path: Path) -> None:
    alone = prepare_event_frames('cifar10_dvs', root, 4, cache_dir=tmp_path / 'a')
    both = prepare_event_frames('cifar10_dvs', root, 4, 2, cache_dir=tmp_path / 'b')
    assert alone.made == both.made == 10 * PER_CLASS
    # ceil(0.9 * 4) for training, nothing for testing
    assert alone.samples == both.samples == {'train': 40, 'test': 0}
    for path in alone.folder.rglob('*.npz'):
        with (
            np.load(path) as left,
            np.load(both.folder / path.relative_to(alone.folder)) as right,
        ):
            np.testing.assert_array_equal(left['frames'], right['frames'])


def truncate(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-40])


def empty(path: Path) -> None:
    path.write_bytes(b'')


def flip_a_byte(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[200] ^= 0xFF
    path.write_bytes(bytes(content))


def replace_frames(path: Path, frames: np.ndarray) -> None:
    with np.load(path) as entry:
        origin = entry['origin']
    with path.open('wb') as target:
        np.savez(target, frames=frames, origin=origin)


def other_shape(path: Path) -> None:
    replace_frames(path, np.zeros((4, 2, 64, 64), np.uint8))


def not_a_number(path: Path) -> None:
    replace_frames(path, np.full((4, 2, 128, 128), np.nan, np.float32))


def negative(path: Path) -> None:
    replace_frames(path, np.full((4, 2, 128, 128), -1))


@pytest.mark.parametrize(
    'damage', [truncate, empty, flip_a_byte, other_shape, not_a_number, negative]
)
def test_damaged_entry_is_made_again(root: Path, file: EventFile, damage) -> None:
    cache = FrameCache(root / CACHE_FOLDER, file.dataset, 4)
    made = cache.load(file, only_key(file))
    path = cache.folder / f'{only_key(file)}.npz'
    damage(path)
    assert cache.prepare(file) == 1
    damage(path)
    np.testing.assert_array_equal(cache.load(file, only_key(file)), made)
    assert cache.prepare(file) == 0


def test_missing_source_is_named(root: Path, file: EventFile) -> None:
    cache = FrameCache(root / CACHE_FOLDER, file.dataset, 4)
    cache.load(file, only_key(file))
    Path(file.path).unlink()
    with pytest.raises(UserError, match=f"event file '{file.path}' cannot be read"):
        cache.load(file, only_key(file))


def test_changed_source_is_integrated_again(root: Path, file: EventFile) -> None:
    cache = FrameCache(root / CACHE_FOLDER, file.dataset, 4)
    assert cache.load(file, only_key(file)).sum() == 12
    write_aedat2(Path(file.path), make_events(5, 13))
    assert cache.load(file, only_key(file)).sum() == 13


def test_damaged_sources_are_named_and_the_others_prepared(root: Path) -> None:
    damaged = [root / f'cat/cifar10_cat_{i}.aedat' for i in (0, 2)]
    for path in damaged:
        path.write_bytes(path.read_bytes()[:-3])
    with pytest.raises(UserError) as caught:
        prepare_event_frames('cifar10_dvs', root, num_steps=4)
    message = str(caught.value)
    assert message.startswith(f'2 of {10 * PER_CLASS} files cannot be used')
    assert all(str(path) in message for path in damaged)
    assert len(entries(root)) == 10 * PER_CLASS - 2


def test_many_damaged_sources_are_counted(root: Path) -> None:
    for path in (root / 'cat').iterdir():
        path.write_bytes(b'')
    for path in (root / 'dog').iterdir():
        path.write_bytes(b'')
    with pytest.raises(UserError, match='8 of 40 files.*; and 3 more$'):
        prepare_event_frames('cifar10_dvs', root, num_steps=4)


def test_a_recording_is_read_once_for_all_its_samples(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_dvs128_gesture(tmp_path)
    reads = []
    read = frames_module.read_events
    monkeypatch.setattr(
        frames_module, 'read_events', lambda *args: reads.append(args) or read(*args)
    )
    (file,) = DVS128Gesture.find_files(tmp_path, 'test')
    cache = FrameCache(tmp_path / 'frames', file.dataset, 4)
    sums = [int(cache.load(file, key).sum()) for key in file.samples]
    assert sums == [90] * 12
    assert len(reads) == 1


def test_folder_that_cannot_be_written_to(root: Path, file: EventFile) -> None:
    blocked = root / 'blocked'
    blocked.write_text('a file')
    cache = FrameCache(blocked, file.dataset, 4)
    with pytest.raises(UserError, match='blocked.*give another cache_dir'):
        cache.load(file, only_key(file))


@pytest.mark.parametrize(
    ('change', 'error', 'message'),
    [
        ({'dataset': 'n_mnist'}, ValueError, 'one of cifar10_dvs, dvs128_gesture'),
        ({'num_steps': 0}, ValueError, 'num_steps must be at least 1, but got 0'),
        ({'num_steps': 4.0}, TypeError, 'num_steps must be an integer'),
        ({'workers': 0}, ValueError, 'workers must be at least 1'),
        ({'data_root': 'nowhere'}, ValueError, "data_root 'nowhere' does not exist"),
        ({'data_root': None}, TypeError, 'data_root must be a path'),
    ],
)
def test_mistakes(root: Path, change: dict, error: type, message: str) -> None:
    options = dict(dataset='cifar10_dvs', data_root=root, num_steps=4) | change
    with pytest.raises(error, match=message):
        prepare_event_frames(**options)
