"""Malformed event files: each is refused with its name, or read as documented."""

import os
import struct
from collections.abc import Callable
from pathlib import Path

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
    Events,
    aedat3_packet,
    make_events,
    write_aedat2,
    write_aedat3,
    write_dvs128_gesture,
    write_npz,
)

NUMBER = 40


def change(
    name: str, event: int | slice, value: object, dtype: str = 'int64'
) -> Events:
    """Events of which one, or some, have another value in one array."""
    events = make_events(0, NUMBER)
    events[name] = events[name].astype(dtype)
    events[name][event] = value
    return events


def replace(**arrays: object) -> dict[str, object]:
    return make_events(0, NUMBER) | arrays


# Arrays that mean nothing, of which an archive can be made.
BAD_ARRAYS: dict[str, dict[str, object]] = {
    'no t': {k: v for k, v in make_events(0, NUMBER).items() if k != 't'},
    'no p': {k: v for k, v in make_events(0, NUMBER).items() if k != 'p'},
    'no arrays': {'other': np.arange(3)},
    'no events': {name: np.zeros(0, int) for name in 'txyp'},
    'x shorter': replace(x=np.zeros(NUMBER - 1, int)),
    'p longer': replace(p=np.zeros(NUMBER + 1, int)),
    't is one number': replace(t=np.array(3)),
    'all are numbers': {name: np.array(1) for name in 'txyp'},
    'y of two dimensions': replace(y=np.zeros((NUMBER, 1), int)),
    'all of two dimensions': {name: np.zeros((NUMBER, 2), int) for name in 'txyp'},
    'x negative': change('x', 3, -1),
    'y negative': change('y', 3, -7),
    't negative': change('t', 0, -1),
    'x off the sensor': change('x', 3, 128),
    'y off the sensor': change('y', 3, 10**9),
    'x wrapped around': change('x', 3, 255, 'uint8'),
    't too late': change('t', -1, 2**62),
    't overflows int64': change('t', -1, 2**63 + 5, 'uint64'),
    'x not a number': change('x', 3, np.nan, 'float64'),
    'y not a number': change('y', 3, np.nan, 'float32'),
    't not a number': change('t', 3, np.nan, 'float64'),
    'p not a number': change('p', 3, np.nan, 'float16'),
    'x infinite': change('x', 3, np.inf, 'float64'),
    't infinite': change('t', -1, np.inf, 'float64'),
    'x a fraction': change('x', 3, 2.5, 'float64'),
    'y nearly off': change('y', 3, 127.5, 'float64'),
    'p a fraction': change('p', 3, 0.5, 'float64'),
    't in seconds': replace(t=np.arange(NUMBER) * 1e-5),
    't huge': change('t', -1, 1e300, 'float64'),
    'p 1 and 2': replace(p=np.arange(NUMBER) % 2 + 1),
    'p -1, 0 and 1': replace(p=np.arange(NUMBER) % 3 - 1),
    'p -1 and 0': replace(p=np.arange(NUMBER) % 2 - 1),
    'p 255 for -1': replace(p=np.where(np.arange(NUMBER) % 2, 1, 255)),
    'p 0 and 255': replace(p=np.arange(NUMBER) % 2 * 255),
    't runs back to 0': replace(t=np.arange(NUMBER) % 20 * 100_000),
    't overflows 32 bits': replace(
        t=(2**32 - 20 + np.arange(NUMBER)).astype('uint32'),
    ),
    't reversed': replace(t=np.arange(NUMBER)[::-1] * 100_000),
    'x text': replace(x=np.array(['1'] * NUMBER)),
    't bytes': replace(t=np.array([b'1'] * NUMBER)),
    't dates': replace(t=np.arange(NUMBER).astype('datetime64[us]')),
    't durations': replace(t=np.arange(NUMBER).astype('timedelta64[us]')),
    'x complex': replace(x=np.zeros(NUMBER, complex)),
    'x booleans': replace(x=np.zeros(NUMBER, bool)),
    'p objects': replace(p=np.array([None] * NUMBER)),
    'x records': replace(x=np.zeros(NUMBER, [('a', int)])),
}  # fmt: skip


def refuse(path: Path, layout: str) -> str:
    """Return what reading and loading a file alike say of it."""
    sample = EventFile(
        str(path), layout, 'any', str(path.parent), {'key': EventSample(0)}
    )
    messages = []
    for read in (
        lambda: read_events(path, layout),
        lambda: LoadEventFrames(4)(dict(event_file=sample, event_key='key')),
    ):
        with pytest.raises(UserError) as caught:
            read()
        messages.append(str(caught.value))
    assert messages[0] == messages[1]
    assert f"event file '{path}'" in messages[0]
    assert '\n' not in messages[0]
    return messages[0]


@pytest.mark.parametrize('name', BAD_ARRAYS)
def test_archive_is_refused(name: str, tmp_path: Path) -> None:
    refuse(write_npz(tmp_path / 'a.npz', BAD_ARRAYS[name]), 'npz')


@pytest.mark.parametrize('name', BAD_ARRAYS)
def test_arrays_are_refused(name: str) -> None:
    with pytest.raises(UserError, match='cat 7 cannot be integrated: '):
        integrate(BAD_ARRAYS[name], 4, 'cat 7')  # type: ignore[arg-type]


def words(*pairs: tuple[int, int]) -> bytes:
    return b''.join(struct.pack('>II', *pair) for pair in pairs)


def header3(kind: int = 1, size: int = 8, capacity: int = 2, number: int = 2) -> bytes:
    return struct.pack('<HHIIIIII', kind, 1, size, 4, 0, capacity, number, number)


BAD_BYTES: dict[str, tuple[str, bytes]] = {
    'aedat2 of no events': ('aedat2', AEDAT2_HEADER),
    'aedat2 of a DAVIS': ('aedat2', AEDAT2_HEADER + words((1 << 22 | 1, 5)) * 9),
    'aedat2 without header': ('aedat2', words((5, 5)) * 9),
    'aedat2 overflown': (
        'aedat2', AEDAT2_HEADER + words((5, 2**32 - 1), (5, 3), (5, 4), (5, 5)),
    ),
    'aedat2 run back': (
        'aedat2', AEDAT2_HEADER + words((5, 9_000_000), (5, 3), (5, 4), (5, 5)),
    ),
    'aedat2 is aedat3': ('aedat2', AEDAT3_HEADER + aedat3_packet(1, [(1, 1)] * 9)),
    'aedat2 empty': ('aedat2', b''),
    'aedat3 of no packets': ('aedat3', AEDAT3_HEADER),
    'aedat3 of special events': ('aedat3', AEDAT3_HEADER + aedat3_packet(0, [(1, 1)])),
    'aedat3 off the sensor': (
        'aedat3', AEDAT3_HEADER + aedat3_packet(1, [(200 << 17 | 1, 5)] * 9),
    ),
    'aedat3 run back': (
        'aedat3', AEDAT3_HEADER + aedat3_packet(1, [(1, 9_000_000), (1, 1), (1, 2)]),
    ),
    'aedat3 events of 4 bytes': (
        'aedat3', AEDAT3_HEADER + header3(size=4) + bytes(8),
    ),
    'aedat3 events of no bytes': (
        'aedat3', AEDAT3_HEADER + header3(size=0, capacity=2**31),
    ),
    'aedat3 half used': ('aedat3', AEDAT3_HEADER + header3(number=1) + bytes(16)),
    'aedat3 of more than it holds': (
        'aedat3', AEDAT3_HEADER + header3(number=3) + bytes(16),
    ),
    'aedat3 of 32 GiB': ('aedat3', AEDAT3_HEADER + header3(capacity=2**32 - 1)),
    'aedat3 empty': ('aedat3', b''),
    'npz empty': ('npz', b''),
    'npz is npy': ('npz', b'\x93NUMPY\x01\x00v\x00{}'),
    'npz is text': ('npz', b't,x,y,p\n1,2,3,0\n' * 9),
    'npz of no archive': ('npz', b'PK\x05\x06' + bytes(18)),
}  # fmt: skip


@pytest.mark.parametrize('name', BAD_BYTES)
def test_file_is_refused(name: str, tmp_path: Path) -> None:
    layout, content = BAD_BYTES[name]
    path = tmp_path / f'a.{"npz" if layout == "npz" else "aedat"}'
    path.write_bytes(content)
    refuse(path, layout)


def make_pipe(path: Path) -> None:
    os.mkfifo(path)


def make_loop(path: Path) -> None:
    path.symlink_to(path)


@pytest.mark.parametrize('layout', ['aedat2', 'aedat3', 'npz'])
@pytest.mark.parametrize('make', [make_pipe, make_loop, Path.mkdir])
def test_what_is_no_file_is_refused(
    layout: str, make: Callable[[Path], None], tmp_path: Path
) -> None:
    make(tmp_path / 'a')
    with pytest.raises(UserError, match=f"event file '{tmp_path / 'a'}'"):
        read_events(tmp_path / 'a', layout)


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


@pytest.mark.parametrize('writer', [write_aedat2, write_aedat3, write_npz])
def test_events_slightly_out_of_order_are_sorted(writer, tmp_path: Path) -> None:
    """Equal times keep their order; in order the file gives the same."""
    events = make_events(0, NUMBER)
    events['t'] = np.arange(NUMBER) // 2 * 50_000
    swapped = np.arange(NUMBER).reshape(-1, 4)[:, [2, 3, 0, 1]].ravel()
    path = tmp_path / 'a.npz'
    layout = {write_npz: 'npz', write_aedat2: 'aedat2'}.get(writer, 'aedat3')
    writer(path, {name: values[swapped] for name, values in events.items()})
    for name, values in read_events(path, layout).items():
        np.testing.assert_array_equal(values, events[name], err_msg=name)


def test_recording_that_ends_before_its_sample(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """It was cut off between two events or packets, which nothing else tells."""
    window = EventSample(0, (0, 10 * NUMBER))
    file = EventFile('cat.aedat', 'aedat3', 'any', '', {'key': window})
    messages: list[str] = []
    monkeypatch.setattr(
        'mmsnn.datasets.events.frames.print_log',
        lambda message, **_: messages.append(message),
    )
    integrate_sample(file, 'key', make_events(0, NUMBER + 1), 4)
    assert not messages
    integrate_sample(file, 'key', make_events(0, NUMBER // 2), 4)
    (message,) = messages
    assert "'cat.aedat' ends 210 us before its sample" in message


BAD_LABELS: dict[str, bytes] = {
    'empty': b'',
    'names of columns alone': b'class,a,b\n',
    'blank rows': b'class,a,b\n\n \n',
    'no names of columns': b'1,2,3\n2,4,5\n',
    'two columns': b'class,a,b\n1,2\n',
    'four columns': b'class,a,b,c\n1,2,3,4\n',
    'words': b'class,a,b\nx,2,3\n',
    'fractions': b'class,a,b\n1,2.5,3\n',
    'not a number': b'class,a,b\n1,nan,3\n',
    'semicolons': b'class;a;b\n1;2;3\n',
    'class 0': b'class,a,b\n0,2,3\n',
    'class 12': b'class,a,b\n12,2,3\n',
    'begin is end': b'class,a,b\n1,3,3\n',
    'begin after end': b'class,a,b\n1,4,3\n',
    'begin negative': b'class,a,b\n1,-4,3\n',
    'second row cut off': b'class,a,b\n1,2,3\n2,4',
    'no text': b'\xff\xfe\x00class',
}


@pytest.mark.parametrize('name', BAD_LABELS)
def test_labels_are_refused(name: str, tmp_path: Path) -> None:
    write_dvs128_gesture(tmp_path)
    path = tmp_path / 'user24_lab_labels.csv'
    path.write_bytes(BAD_LABELS[name])
    with pytest.raises(UserError, match=f"'{path}'"):
        DVS128Gesture(tmp_path, 'test')


@pytest.mark.parametrize(
    'content',
    [b'', b' \n', b'\xff\xfe\x00', b'gone.aedat\n', b'user24_lab.aedat\n' * 2],
)
def test_list_of_recordings_is_refused(content: bytes, tmp_path: Path) -> None:
    write_dvs128_gesture(tmp_path)
    path = tmp_path / 'trials_to_test.txt'
    path.write_bytes(content)
    with pytest.raises(UserError, match='trials_to_test.txt'):
        DVS128Gesture(tmp_path, 'test')


@pytest.mark.parametrize('name', ['trials_to_test.txt', 'user24_lab_labels.csv'])
def test_pipe_is_refused(name: str, tmp_path: Path) -> None:
    write_dvs128_gesture(tmp_path)
    (tmp_path / name).unlink()
    make_pipe(tmp_path / name)
    with pytest.raises(UserError, match=f'{name}. is not a regular file'):
        DVS128Gesture(tmp_path, 'test')
