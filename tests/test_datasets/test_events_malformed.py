"""Malformed event files: each is refused with its name, or read as documented."""

import os
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mmsnn.datasets.events import DVS128Gesture
from mmsnn.datasets.events.files import EventFile, EventSample
from mmsnn.datasets.events.frames import integrate, integrate_sample
from mmsnn.datasets.events.readers import read_events
from mmsnn.datasets.events.values import check_events
from mmsnn.datasets.transforms import LoadEventFrames
from mmsnn.utils.errors import UserError

from .event_files import (
    AEDAT2_HEADER,
    AEDAT3_HEADER,
    WRITERS,
    Events,
    aedat3_packet,
    make_events,
    write_dvs128_gesture,
    write_npz,
)

NUMBER = 40
RAMP = np.arange(NUMBER)


def one(name: str, event: int, value: object, dtype: str = 'int64') -> Events:
    """Events of which one has another value in one array."""
    events = make_events(0, NUMBER)
    events[name] = events[name].astype(dtype)
    events[name][event] = value
    return events


def every(**arrays: object) -> dict[str, Any]:
    return make_events(0, NUMBER) | arrays


def without(*names: str) -> Events:
    return {k: v for k, v in make_events(0, NUMBER).items() if k not in names}


# Arrays that mean nothing, of which an archive can be made, and what is said.
BAD_ARRAYS: dict[str, tuple[dict[str, Any], str]] = {
    'no t': (without('t'), 'lacks t'),
    'no p and y': (without('p', 'y'), 'lacks p, y'),
    'no arrays': ({'other': np.arange(3)}, 'lacks p, t, x, y'),
    'no events': ({name: np.zeros(0, int) for name in 'txyp'}, 'has no events'),
    'x shorter': (every(x=np.zeros(NUMBER - 1, int)), 'must have one length'),
    'p longer': (every(p=np.zeros(NUMBER + 1, int)), 'must have one length'),
    't is one number': (every(t=np.array(3)), 'must have one length'),
    'all are numbers': ({name: np.array(1) for name in 'txyp'}, 'one length'),
    'y of two dimensions': (every(y=np.zeros((NUMBER, 1), int)), 'one length'),
    'all of two': ({name: np.zeros((NUMBER, 2), int) for name in 'txyp'}, 'one length'),
    'x negative': (one('x', 3, -1), '0 to 127, but is -1 at event 3'),
    'y negative': (one('y', 3, -7), '0 to 127, but is -7 at event 3'),
    't negative': (one('t', 0, -1), 'but is -1 at event 0'),
    'x off the sensor': (one('x', 3, 128), '0 to 127, but is 128'),
    'y off the sensor': (one('y', 3, 10**9), '0 to 127, but is 1000000000'),
    'x wrapped around': (one('x', 3, 255, 'uint8'), '0 to 127, but is 255'),
    't too late': (one('t', -1, 2**62), 'at event 39'),
    't overflows int64': (one('t', -1, 2**63 + 5, 'uint64'), 'at event 39'),
    'x not a number': (one('x', 3, np.nan, 'float64'), 'x (column'),
    'y not a number': (one('y', 3, np.nan, 'float32'), 'y (row'),
    't not a number': (one('t', 3, np.nan, 'float64'), 't (micro'),
    'p not a number': (one('p', 3, np.nan, 'float16'), 'p (polarity)'),
    'x infinite': (one('x', 3, np.inf, 'float64'), 'is inf at event 3'),
    't infinite': (one('t', -1, np.inf, 'float64'), 'is inf at event 39'),
    'x a fraction': (one('x', 3, 2.5, 'float64'), 'is 2.5 at event 3'),
    'y nearly off': (one('y', 3, 127.5, 'float64'), 'is 127.5 at event 3'),
    'p a fraction': (one('p', 3, 0.5, 'float64'), 'is 0.5 at event 3'),
    't in seconds': (every(t=RAMP * 1e-5), 'at event 1'),
    't huge': (one('t', -1, 1e300, 'float64'), 'is 1e+300'),
    'p 1 and 2': (every(p=RAMP % 2 + 1), 'is 2 at event 1'),
    'p -1, 0 and 1': (every(p=RAMP % 3 - 1), 'must be 0 and 1, or -1 and 1'),
    'p -1 and 0': (every(p=RAMP % 2 - 1), 'must be 0 and 1, or -1 and 1'),
    'p 255 for -1': (every(p=np.where(RAMP % 2, 1, 255)), 'is 255 at event 0'),
    'p 0 and 255': (every(p=RAMP % 2 * 255), 'is 255 at event 1'),
    't runs back to 0': (every(t=RAMP % 20 * 100_000), 't runs back by 1900000'),
    't overflows 32 bits': (every(t=(2**32 - 20 + RAMP).astype('u4')), 't runs back'),
    't reversed': (every(t=RAMP[::-1] * 100_000), 't runs back by 3900000'),
    'x text': (every(x=np.array(['1'] * NUMBER)), 'x (column'),
    't bytes': (every(t=np.array([b'1'] * NUMBER)), 't (micro'),
    't dates': (every(t=RAMP.astype('datetime64[us]')), 't (micro'),
    't durations': (every(t=RAMP.astype('timedelta64[us]')), 't (micro'),
    'x complex': (every(x=np.zeros(NUMBER, complex)), 'x (column'),
    'x booleans': (every(x=np.zeros(NUMBER, bool)), 'x (column'),
    'p objects': (every(p=np.array([None] * NUMBER)), ''),
    'x records': (every(x=np.zeros(NUMBER, [('a', int)])), 'x (column'),
}  # fmt: skip


def refuse(path: Path, layout: str, says: str = '') -> None:
    """Check what reading and loading a file alike say of it."""
    samples = {'key': EventSample(0)}
    file = EventFile(str(path), layout, 'any', str(path.parent), samples)
    messages = []
    for read in (
        lambda: read_events(path, layout),
        lambda: LoadEventFrames(4)(dict(event_file=file, event_key='key')),
    ):
        with pytest.raises(UserError) as caught:
            read()
        messages.append(str(caught.value))
    assert messages[0] == messages[1]
    assert messages[0].startswith(f"event file '{path}' cannot be read as {layout}: ")
    assert says in messages[0]
    assert '\n' not in messages[0]


@pytest.mark.parametrize('name', BAD_ARRAYS)
def test_arrays_are_refused(name: str, tmp_path: Path) -> None:
    """In an archive, and as they are."""
    arrays, says = BAD_ARRAYS[name]
    refuse(write_npz(tmp_path / 'a.npz', arrays), 'npz', says)
    with pytest.raises(UserError) as caught:
        integrate(arrays, 4, 'cat 7')
    assert str(caught.value).startswith('cat 7 cannot be integrated: ')
    assert says in str(caught.value)


def words(*times: int) -> bytes:
    return AEDAT2_HEADER + b''.join(struct.pack('>II', 5, time) for time in times)


def header3(kind: int = 1, size: int = 8, capacity: int = 2, number: int = 2) -> bytes:
    return AEDAT3_HEADER + struct.pack(
        '<HHIIIIII', kind, 1, size, 4, 0, capacity, number, number
    )


def packet3(kind: int, *rows: tuple[int, int]) -> bytes:
    return AEDAT3_HEADER + aedat3_packet(kind, rows)


BAD_BYTES: dict[str, tuple[bytes, str]] = {
    'aedat2 of no events': (AEDAT2_HEADER, ''),
    'aedat2 of a DAVIS': (AEDAT2_HEADER + struct.pack('>II', 1 << 22 | 1, 5) * 9, ''),
    'aedat2 without header': (struct.pack('>II', 5, 5) * 9, ''),
    'aedat2 overflown': (words(2**32 - 1, 3, 4, 5), 't runs back'),
    'aedat2 run back': (words(9_000_000, 3, 4, 5), 't runs back'),
    'aedat2 is aedat3': (packet3(1, *[(1, 1)] * 9), "'#!AER-DAT3.1', not #!AER-DAT2.0"),
    'aedat2 empty': (b'', ''),
    'aedat2 something else': (b'\x93 something else entirely' * 9, ''),
    'aedat3 of no packets': (AEDAT3_HEADER, ''),
    'aedat3 of special events': (packet3(0, (1, 1)), ''),
    'aedat3 off the sensor': (packet3(1, *[(200 << 17 | 1, 5)] * 9), '0 to 127'),
    'aedat3 run back': (packet3(1, (1, 9_000_000), (1, 1), (1, 2)), 't runs back'),
    'aedat3 events of 4 bytes': (header3(size=4) + bytes(8), ''),
    'aedat3 events of no bytes': (header3(size=0, capacity=2**31), ''),
    'aedat3 half used': (header3(number=1) + bytes(16), ''),
    'aedat3 of more than it holds': (header3(number=3) + bytes(16), ''),
    'aedat3 of 32 GiB': (header3(capacity=2**32 - 1), ''),
    'aedat3 empty': (b'', ''),
    'aedat3 is aedat2': (words(1, 2), 'not #!AER-DAT3.1'),
    'aedat3 something else': (b'\x93 something else entirely' * 9, ''),
    'npz empty': (b'', ''),
    'npz something else': (b'\x93 something else entirely' * 9, ''),
    'npz is npy': (b'\x93NUMPY\x01\x00v\x00{}', ''),
    'npz is text': (b't,x,y,p\n1,2,3,0\n' * 9, ''),
    'npz of no archive': (b'PK\x05\x06' + bytes(18), ''),
}


@pytest.mark.parametrize('name', BAD_BYTES)
def test_file_is_refused(name: str, tmp_path: Path) -> None:
    content, says = BAD_BYTES[name]
    (tmp_path / 'a.events').write_bytes(content)
    refuse(tmp_path / 'a.events', name.split()[0], says)


@pytest.mark.parametrize(
    ('layout', 'size', 'says'),
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
def test_truncated_file(layout: str, size: int, says: str, tmp_path: Path) -> None:
    path = WRITERS[layout](tmp_path / 'a.npz', make_events(0, 100))
    path.write_bytes(path.read_bytes()[:size])
    refuse(path, layout, says)


def test_damaged_bytes_of_an_archive(tmp_path: Path) -> None:
    path = write_npz(tmp_path / 'a.npz', make_events(0, 400))
    content = bytearray(path.read_bytes())
    content[1500] ^= 0xFF
    path.write_bytes(bytes(content))
    refuse(path, 'npz', 'BadZipFile')


@pytest.mark.parametrize('layout', WRITERS)
@pytest.mark.parametrize(
    ('make', 'says'),
    [
        (os.mkfifo, 'not a regular file'),
        (Path.mkdir, 'not a regular file'),
        (lambda path: path.symlink_to(path), 'Too many levels'),
        (lambda path: None, 'No such file'),
    ],
)
def test_what_is_no_file_is_refused(
    layout: str, make: Callable[[Path], None], says: str, tmp_path: Path
) -> None:
    make(tmp_path / 'a')
    with pytest.raises(UserError, match=f"event file '{tmp_path / 'a'}'.*{says}"):
        read_events(tmp_path / 'a', layout)


def test_too_few_events_are_named() -> None:
    with pytest.raises(UserError, match='cat 7 has 3 events.*num_steps=4 frames'):
        integrate(make_events(0, 3), 4, 'cat 7')


@pytest.mark.parametrize(
    ('name', 'given', 'expected'),
    [
        ('p', np.array([-1, 1, 1, -1]), [0, 1, 1, 0]),
        ('p', np.array([-1, -1, -1, -1]), [0, 0, 0, 0]),
        ('p', np.array([False, True, True, True]), [0, 1, 1, 1]),
        ('p', np.array([1.0, -1.0, 1.0, 1.0]), [1, 0, 1, 1]),
        ('x', np.array([3.0, 127.0, 0.0, 1.0]), [3, 127, 0, 1]),
        ('t', np.array([0.0, 1e6, 1e6, 2e9]), [0, 10**6, 10**6, 2 * 10**9]),
    ],
)
def test_values_of_one_meaning_are_converted(
    name: str, given: np.ndarray, expected: list[int]
) -> None:
    events = check_events(make_events(0, 4) | {name: given})
    assert events[name].tolist() == expected
    assert events[name].dtype.kind == 'i'


@pytest.mark.parametrize('layout', WRITERS)
def test_events_slightly_out_of_order_are_sorted(layout: str, tmp_path: Path) -> None:
    """Equal times keep their order; in order the file gives the same."""
    events = every(t=RAMP // 2 * 50_000)
    swapped = RAMP.reshape(-1, 4)[:, [2, 3, 0, 1]].ravel()
    shuffled = {name: values[swapped] for name, values in events.items()}
    path = WRITERS[layout](tmp_path / 'a.npz', shuffled)
    for name, values in read_events(path, layout).items():
        np.testing.assert_array_equal(values, events[name], err_msg=name)


def test_recording_that_ends_before_its_sample(monkeypatch: pytest.MonkeyPatch) -> None:
    """It was cut off between two events or packets, which nothing else tells."""
    sample = EventSample(0, (0, 10 * NUMBER))
    file = EventFile('cat.aedat', 'aedat3', 'any', '', {'key': sample})
    messages: list[str] = []
    monkeypatch.setattr(
        'mmsnn.datasets.events.frames.print_log',
        lambda message, **_: messages.append(message),
    )
    integrate_sample(file, 'key', make_events(0, NUMBER + 1), 4)
    assert not messages
    integrate_sample(file, 'key', make_events(0, NUMBER // 2), 4)
    (message,) = messages
    assert "'cat.aedat' ends 210 us before the end of its sample" in message


TABLE = b'class,a,b\n'
BAD_LABELS = [
    *(b'', TABLE, TABLE + b'\n \n', b'1,2,3\n2,4,5\n', b'class,a,b,c\n1,2,3,4\n'),
    *(TABLE + row for row in (b'1,2\n', b'x,2,3\n', b'1,2.5,3\n', b'1,nan,3\n')),
    # a class that does not exist, and windows that end before they begin
    *(TABLE + row for row in (b'0,2,3\n', b'12,2,3\n', b'1,3,3\n', b'1,4,3\n')),
    *(TABLE + row for row in (b'1,-4,3\n', b'1,2,3\n2,4')),
    *(b'class;a;b\n1;2;3\n', b'\xff\xfe\x00class'),
]
BAD_LISTS = [b'', b' \n', b'\xff\xfe\x00', b'gone.aedat\n', b'user24_lab.aedat\n' * 2]
LABELS, LIST = 'user24_lab_labels.csv', 'trials_to_test.txt'


@pytest.mark.parametrize(
    ('name', 'content'),
    [*((LABELS, each) for each in BAD_LABELS), *((LIST, each) for each in BAD_LISTS)],
)
def test_tables_of_gestures_are_refused(
    name: str, content: bytes, tmp_path: Path
) -> None:
    write_dvs128_gesture(tmp_path)
    (tmp_path / name).write_bytes(content)
    with pytest.raises(UserError, match=name):
        DVS128Gesture(tmp_path, 'test')


@pytest.mark.parametrize('name', [LABELS, LIST])
def test_pipe_is_refused(name: str, tmp_path: Path) -> None:
    write_dvs128_gesture(tmp_path)
    (tmp_path / name).unlink()
    os.mkfifo(tmp_path / name)
    with pytest.raises(UserError, match=f'{name}. is not a regular file'):
        DVS128Gesture(tmp_path, 'test')
