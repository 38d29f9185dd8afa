"""Event files: what is read is what was written, and damage is named."""

import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from mmsnn.datasets.events.frames import integrate
from mmsnn.datasets.events.readers import import_spikingjelly, read_events
from mmsnn.utils.errors import UserError

from .event_files import (
    AEDAT2_HEADER,
    AEDAT3_HEADER,
    Events,
    aedat3_packet,
    count,
    make_events,
    write_aedat2,
    write_aedat3,
    write_npz,
)

WRITERS: dict[str, Callable[[Path, Events], Path]] = {
    'aedat2': write_aedat2,
    'aedat3': write_aedat3,
    'npz': write_npz,
}
NAMES = {'aedat2': 'a.aedat', 'aedat3': 'a.aedat', 'npz': 'a.npz'}


@pytest.mark.parametrize('layout', WRITERS)
def test_reads_what_was_written(layout: str, tmp_path: Path) -> None:
    events = make_events(0, 333, begin=7)
    path = WRITERS[layout](tmp_path / NAMES[layout], events)
    read = read_events(path, layout)
    for name in 'txyp':
        np.testing.assert_array_equal(read[name], events[name], err_msg=name)


def test_bytes_of_aedat2(tmp_path: Path) -> None:
    """An event by hand: sensor x 5 (bits 1-7), y 9 (bits 8-14), polarity 1 (bit 0)."""
    path = tmp_path / 'a.aedat'
    path.write_bytes(AEDAT2_HEADER + bytes([0, 0, 9, 5 << 1 | 1, 0, 0, 1, 2]))
    events = read_events(path, 'aedat2')
    assert [int(events[name][0]) for name in 'txyp'] == [258, 127 - 9, 127 - 5, 0]


def test_bytes_of_aedat3(tmp_path: Path) -> None:
    """An event by hand: valid (bit 0), polarity (1), y (2-16), x (17-31), overflow."""
    path = tmp_path / 'a.aedat'
    packet = aedat3_packet(1, [(5 << 17 | 9 << 2 | 1 << 1 | 1, 258)], overflow=1)
    path.write_bytes(AEDAT3_HEADER + packet)
    events = read_events(path, 'aedat3')
    assert [int(events[name][0]) for name in 'txyp'] == [2**31 + 258, 5, 9, 1]


def cut(path: Path, size: int) -> None:
    content = path.read_bytes()
    path.write_bytes(content[:size] if size > 0 else content[: len(content) + size])


@pytest.mark.parametrize(
    ('layout', 'size', 'message'),
    [
        ('aedat2', -3, 'it was cut off 5 bytes into an event of 8'),
        ('aedat2', -4, 'it was cut off 4 bytes into an event of 8'),
        ('aedat3', -8, 'it was cut off in the packet at byte'),
        ('aedat3', len(AEDAT3_HEADER) + 10, 'it was cut off in the packet at byte'),
        ('aedat3', len(AEDAT3_HEADER) - 5, 'its header has no end'),
        ('npz', -30, 'it is not a zip archive, or was cut off'),
        ('npz', 1, 'it is not a zip archive, or was cut off'),
    ],
)
def test_truncated_file_is_named(
    layout: str, size: int, message: str, tmp_path: Path
) -> None:
    path = WRITERS[layout](tmp_path / NAMES[layout], make_events(0, 100))
    cut(path, size)
    with pytest.raises(UserError) as caught:
        read_events(path, layout)
    assert str(caught.value).startswith(f"event file '{path}' cannot be read as")
    assert message in str(caught.value)


@pytest.mark.parametrize('layout', WRITERS)
@pytest.mark.parametrize('content', [b'', b'\x93 something else entirely' * 9])
def test_other_content_is_named(layout: str, content: bytes, tmp_path: Path) -> None:
    path = tmp_path / NAMES[layout]
    path.write_bytes(content)
    with pytest.raises(UserError, match=f"event file '{path}' cannot be read"):
        read_events(path, layout)


def test_damaged_bytes_of_an_archive_are_named(tmp_path: Path) -> None:
    path = write_npz(tmp_path / 'a.npz', make_events(0, 400))
    content = bytearray(path.read_bytes())
    content[1500] ^= 0xFF
    path.write_bytes(bytes(content))
    with pytest.raises(UserError, match='a.npz.*cannot be read as npz: BadZipFile'):
        read_events(path, 'npz')


def test_versions_are_not_mixed_up(tmp_path: Path) -> None:
    events = make_events(0, 100)
    old = write_aedat2(tmp_path / 'old.aedat', events)
    new = write_aedat3(tmp_path / 'new.aedat', events)
    with pytest.raises(UserError, match="'#!AER-DAT3.1', not #!AER-DAT2.0"):
        read_events(new, 'aedat2')
    with pytest.raises(UserError, match='not #!AER-DAT3.1'):
        read_events(old, 'aedat3')


def test_archive_without_what_is_needed(tmp_path: Path) -> None:
    events = make_events(0, 10)
    lacking = write_npz(tmp_path / 'a.npz', {'t': events['t'], 'x': events['x']})
    with pytest.raises(UserError, match='it lacks p, y'):
        read_events(lacking, 'npz')
    uneven = write_npz(tmp_path / 'b.npz', events | {'y': events['y'][:-1]})
    with pytest.raises(UserError, match='must have one length'):
        read_events(uneven, 'npz')


def test_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(UserError, match='gone.aedat.*No such file'):
        read_events(tmp_path / 'gone.aedat', 'aedat2')


@pytest.mark.parametrize(
    ('number', 'num_steps'), [(64, 4), (67, 4), (16, 16), (95, 16)]
)
def test_frames_are_slices_of_equal_numbers(number: int, num_steps: int) -> None:
    events = make_events(1, number)
    frames = integrate(events, num_steps, 'it')
    assert frames.shape == (num_steps, 2, 128, 128)
    np.testing.assert_array_equal(frames, count(events, num_steps))
    totals = frames.sum(axis=(1, 2, 3))
    assert totals.sum() == number
    assert set(totals[:-1]) == {number // num_steps}
    assert totals[-1] == number - (num_steps - 1) * (number // num_steps)


def test_places_and_polarities_of_hand_made_events() -> None:
    events = {
        't': np.array([0, 1, 2, 3, 4]),
        'x': np.array([3, 3, 127, 0, 0]),
        'y': np.array([8, 8, 0, 127, 127]),
        'p': np.array([1, 1, 0, 0, 1]),
    }
    frames = integrate(events, 2, 'it')
    expected = np.zeros((2, 2, 128, 128))
    expected[0, 1, 8, 3] = 2
    expected[1, 0, 0, 127] = expected[1, 0, 127, 0] = expected[1, 1, 127, 0] = 1
    np.testing.assert_array_equal(frames, expected)


def test_counts_above_a_byte_are_kept() -> None:
    events = {name: np.zeros(1000, int) for name in 'txyp'}
    assert integrate(events, 2, 'it')[:, 0, 0, 0].tolist() == [500, 500]


def test_too_few_events_are_named() -> None:
    with pytest.raises(UserError, match='cat 7 has 3 events.*num_steps=4 frames'):
        integrate(make_events(0, 3), 4, 'cat 7')


@pytest.mark.parametrize(('axis', 'value'), [('x', 128), ('y', -1)])
def test_events_outside_the_sensor_are_named(axis: str, value: int) -> None:
    events = make_events(0, 10)
    events[axis][4] = value
    with pytest.raises(UserError, match=f'cat 7 .*{axis} .*0 to 127.*{value}'):
        integrate(events, 4, 'cat 7')


def test_readers_need_no_torchaudio(monkeypatch: pytest.MonkeyPatch) -> None:
    """And leave nothing in the place of SpikingJelly's package of data sets."""
    package = 'spikingjelly.datasets'
    for name in [name for name in sys.modules if name.startswith(package)]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, 'torchaudio', None)
    module = import_spikingjelly('cifar10_dvs')
    assert module.__name__ == f'{package}.cifar10_dvs'
    assert package not in sys.modules
