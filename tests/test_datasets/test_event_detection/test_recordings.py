"""Whole recordings of foreign origin: read, limited in size, or refused."""

import numpy as np
import pytest

from mmsnn.datasets.events.detection import write_dat
from mmsnn.datasets.events.detection.recordings import (
    busiest_window,
    read_npy,
    read_recording,
)
from mmsnn.utils.errors import UserError

SIZE = (20, 30)
COLUMNS = {
    't': [5, 5, 90, 91, 300],
    'x': [0, 29, 3, 4, 5],
    'y': [19, 0, 1, 2, 3],
    'p': [0, 1, 1, 0, 1],
}
EVENTS = {name: np.array(values) for name, values in COLUMNS.items()}
TYPE = [('t', 'u4'), ('x', 'u2'), ('y', 'u2'), ('p', '?')]
STRUCTURED = np.array(list(zip(*COLUMNS.values(), strict=True)), TYPE)


@pytest.fixture
def path(tmp_path):
    return tmp_path / 'recording'


def save(path, array, **options):
    with path.open('wb') as file:
        np.save(file, array, **options)


def write(path, kind):
    if kind == 'dat':
        write_dat(path, EVENTS, SIZE)
    else:
        save(path, STRUCTURED if kind == 'fields' else np.array([*EVENTS.values()]).T)


@pytest.mark.parametrize('kind', ['dat', 'fields', 'columns'])
def test_the_format_is_found(path, kind):
    write(path, kind)
    events = read_recording(path, SIZE, max_events=5)
    assert {name: values.tolist() for name, values in events.items()} == COLUMNS
    with pytest.raises(UserError, match='has 5 events, but at most 4 are allowed'):
        read_recording(path, SIZE, max_events=4)
    with pytest.raises(UserError, match='from 0 to 27'):
        read_recording(path, (20, 28))
    path.write_bytes(path.read_bytes()[:-3])
    with pytest.raises(UserError, match='recording'):
        read_recording(path, SIZE)


@pytest.mark.parametrize('content', [b'', b'PK', b'\x93NUMPY', b'%', b'% x', b'\x80\4'])
def test_foreign_files(path, content):
    path.write_bytes(content)
    with pytest.raises(UserError, match='recording'):
        read_recording(path, SIZE)
    with pytest.raises(UserError, match='nowhere'):
        read_recording(path.with_name('nowhere'), SIZE)


def test_pickles_are_refused(path):
    class Evil:
        def __reduce__(self):
            return pytest.fail, ('unpickled',)

    save(path, np.array([Evil()], object), allow_pickle=True)
    with pytest.raises(UserError, match='Python objects'):
        read_npy(path, SIZE)


def test_a_header_that_states_more_than_there_is(path):
    save(path, np.zeros((5, 4), 'i8'))
    content = path.read_bytes()
    large = content.replace(b'(5, 4), }' + 12 * b' ', b'(999999999999, 4), } ')
    assert len(large) == len(content) and large != content
    path.write_bytes(large)
    with pytest.raises(UserError, match='recording'):
        read_npy(path, SIZE)


@pytest.mark.parametrize('kind', ['dat', 'fields', 'columns'])
def test_damaged_bytes_are_events_or_an_error(path, kind):
    write(path, kind)
    whole = np.frombuffer(path.read_bytes(), np.uint8)
    rng = np.random.default_rng(0)
    refused = 0
    for _ in range(150):
        damaged = whole.copy()
        places = rng.integers(0, len(whole), rng.integers(1, 4))
        damaged[places] = rng.integers(0, 256, len(places))
        path.write_bytes(damaged.tobytes())
        try:
            events = read_recording(path, SIZE)
        except UserError:
            refused += 1
        else:
            assert events['x'].max() < 30 and events['y'].max() < 20
    assert refused > 50


@pytest.mark.parametrize(
    ('duration', 'window'),
    [(1, (5, 6)), (2, (5, 7)), (87, (5, 92)), (86, (5, 91)), (1000, (5, 1005))],
)
def test_busiest_window(duration, window):
    assert busiest_window(EVENTS, duration) == window


def test_the_earliest_of_the_busiest_windows():
    events = {'t': np.array([0, 50, 51, 52, 80, 90, 91, 92], np.uint32)}
    assert busiest_window(events, 3) == (50, 53)
