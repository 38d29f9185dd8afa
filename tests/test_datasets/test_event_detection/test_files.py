"""Prophesee's files: what is written is read, and damaged files are named."""

import os

import numpy as np
import pytest

from mmsnn.datasets.events.detection import (
    BOX,
    DatFile,
    dat_files,
    read_boxes,
    write_boxes,
    write_dat,
)
from mmsnn.utils.errors import UserError

SIZE = (240, 304)


def random_events(number=1000, seed=0):
    rng = np.random.default_rng(seed)
    return {
        't': np.sort(rng.integers(0, 50_000, number)),
        'x': rng.integers(0, SIZE[1], number),
        'y': rng.integers(0, SIZE[0], number),
        'p': rng.integers(0, 2, number),
    }


@pytest.fixture
def recording(tmp_path):
    path = tmp_path / 'a_td.dat'
    write_dat(path, random_events(), SIZE)
    return path


def test_bytes_of_a_file_written_by_hand(tmp_path):
    path = tmp_path / 'hand.dat'
    x, y, p, t = 303, 239, 1, 4_000_000_000
    word = x | y << 14 | p << 28
    content = b'% Height 240\n% Width 304\n' + bytes([0, 8])
    path.write_bytes(content + t.to_bytes(4, 'little') + word.to_bytes(4, 'little'))
    recording = DatFile(path)
    assert (len(recording), recording.first, recording.last) == (1, t, t)
    events = recording.read(0, 2**32, SIZE)
    assert {name: values.tolist() for name, values in events.items()} == {
        't': [t],
        'x': [x],
        'y': [y],
        'p': [p],
    }


@pytest.mark.parametrize('window', [(0, 50_000), (10_000, 20_000), (49_999, 90_000)])
def test_windows(recording, window):
    events, expected = DatFile(recording).read(*window, SIZE), random_events()
    inside = (expected['t'] >= window[0]) & (expected['t'] < window[1])
    for name in 'txyp':
        np.testing.assert_array_equal(events[name], expected[name][inside])


def test_an_empty_window(recording):
    assert all(
        len(v) == 0 for v in DatFile(recording).read(60_000, 70_000, SIZE).values()
    )


def test_a_window_reads_a_small_part_of_a_large_file(tmp_path):
    # a sparse file of 10 GB: its holes are events at time 0
    path = tmp_path / 'large.dat'
    last = np.array([(7, 3)], dat_files._EVENT)
    with path.open('wb') as file:
        file.write(b'% large\n' + bytes([12, 8]))
        file.seek(10 * 2**30, os.SEEK_CUR)
        file.write(last.tobytes())
    before = _peak_memory()
    events = DatFile(path).read(1, 100, SIZE)
    assert (events['t'].tolist(), events['x'].tolist()) == ([7], [3])
    assert _peak_memory() - before < 2**26


def _peak_memory():
    import resource

    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def _times(*t):
    events = random_events(len(t))
    packed = np.zeros(len(t), dat_files._EVENT)
    packed['t'] = t
    packed['packed'] = events['x'] | events['y'] << 14
    return packed.tobytes()


@pytest.mark.parametrize(
    ('content', 'named'),
    [
        (b'', 'comment'),
        (b'% a\n', 'type'),
        (b'% a\n' + bytes([0, 4]), '8 bytes'),
        (b'% a\n' + bytes([0, 8]), 'no events'),
        (b'% a\n' + bytes([0, 8]) + _times(1, 2)[:-3], 'cut off'),
        (b'% a\n' + bytes([0, 8]) + _times(5, 6, 1), 'runs back'),
        (b'% a\n' + bytes([0, 8]) + _times(1, 4, 3, 6), 'runs back'),
        (b'% a\n' + bytes([0, 8]) + _times(1) + b'\x02\0\0\0' + b'\xff\x3f\0\0', 'x '),
    ],
)
def test_damaged_recordings(tmp_path, content, named):
    path = tmp_path / 'damaged_td.dat'
    path.write_bytes(content)
    with pytest.raises(UserError, match=named) as error:
        DatFile(path).read(0, 10, SIZE)
    assert str(path) in str(error.value)


def test_missing_recording(tmp_path):
    with pytest.raises(UserError, match='does not exist'):
        DatFile(tmp_path / 'none.dat')


def test_times_that_overflow_are_not_written(tmp_path):
    events = {**random_events(2), 't': np.array([0, 2**32])}
    with pytest.raises(ValueError, match=r't must be below 2\*\*32'):
        write_dat(tmp_path / 'a.dat', events, SIZE)


NEW = np.array([(3, 1, 2, 30, 40, 1, 0.5, 7), (1, 5, 6, 7, 8, 0, 1, 9)], BOX)


@pytest.mark.parametrize('old', [True, False])
def test_boxes_are_read_by_name_and_sorted(tmp_path, old):
    path = tmp_path / 'a_bbox.npy'
    if old:
        names = ['class_id', 'h', 'w', 'y', 'x', 'track_id', 'class_confidence', 't']
        renamed = {'t': 'ts', 'class_confidence': 'confidence'}
        stored = np.empty(2, [(renamed.get(n, n), BOX[n]) for n in names])
        for name in names:
            stored[renamed.get(name, name)] = NEW[name]
        np.save(path, stored)
    else:
        write_boxes(path, NEW)
    np.testing.assert_array_equal(read_boxes(path), NEW[::-1])


def with_type(name, kind, value):
    """Return two boxes of which one has a value that ``BOX`` cannot hold."""
    stored = NEW.astype([(n, kind if n == name else BOX[n]) for n in BOX.names])
    stored[name][1] = value
    return stored


@pytest.mark.parametrize(
    ('stored', 'named'),
    [
        (NEW[[n for n in BOX.names if n != 'w']], "'w'"),
        (np.zeros(3), "'t'"),
        (np.array([object()]), 'allow_pickle|Object'),
        (np.array([(1, np.nan)], [('t', 'i8'), ('x', 'f4')]), "'y'"),
        (np.array([(-1, 0, 0, 1, 1, 0, 1, 1)], BOX), 'negative'),
        (with_type('t', 'f8', np.nan), 't must be whole .* is nan in box 1'),
        (with_type('t', 'f8', 0.5), 't must be whole'),
        (with_type('class_id', 'i8', 256), 'class_id must be whole .* is 256'),
        (with_type('class_id', 'i8', -1), 'class_id must be whole'),
        (np.array([(1, np.inf, 0, 1, 1, 0, 1, 1)], BOX), 'finite'),
    ],
)
def test_damaged_boxes(tmp_path, stored, named):
    path = tmp_path / 'damaged_bbox.npy'
    np.save(path, stored, allow_pickle=True)
    with pytest.raises(UserError, match=named) as error:
        read_boxes(path)
    assert str(path) in str(error.value)


def test_a_truncated_box_file(tmp_path):
    path = tmp_path / 'a_bbox.npy'
    write_boxes(path, NEW)
    path.write_bytes(path.read_bytes()[:-5])
    with pytest.raises(UserError, match='a_bbox'):
        read_boxes(path)
