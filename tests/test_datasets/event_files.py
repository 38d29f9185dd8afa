"""Writes tiny event data sets in the real formats and layouts."""

import struct
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np

from mmsnn.datasets.events.cifar10_dvs import CLASSES

Events = dict[str, np.ndarray]

# As jAER writes it.
AEDAT2_HEADER = (
    b'#!AER-DAT2.0\r\n'
    b'# This is a raw AE data file - do not edit\r\n'
    b'# Data format is int32 address, int32 timestamp (8 bytes total), repeated for '
    b'each event\r\n'
    b'# Timestamps tick is 1 us\r\n'
    b'# created Thu Dec 03 16:46:01 CST 2015\r\n'
)
# As the recordings of DVS128 Gesture begin.
AEDAT3_HEADER = (
    b'#!AER-DAT3.1\r\n'
    b'#Format: RAW\r\n'
    b'#Source 1: DVS128\r\n'
    b'#Start-Time: 2016-08-01 13:06:24 (TZ-0700)\r\n'
    b'#!END-HEADER\r\n'
)


def make_events(seed: int, number: int, begin: int = 0, step: int = 10) -> Events:
    """Events at random places, ``step`` microseconds apart."""
    rng = np.random.default_rng(seed)
    return {
        't': begin + step * np.arange(number),
        'x': rng.integers(128, size=number),
        'y': rng.integers(128, size=number),
        'p': rng.integers(2, size=number),
    }


def join(*parts: Events) -> Events:
    return {name: np.concatenate([part[name] for part in parts]) for name in 'txyp'}


def write_aedat2(path: Path, events: Events) -> Path:
    """Write big-endian pairs of address and time in CIFAR10-DVS's layout.

    The sensor's x is in bits 1 to 7, its y in bits 8 to 14, its polarity in bit 0; the
    picture is turned by a quarter, mirrored, and its polarity inverted.
    """
    sensor_x, sensor_y = 127 - events['y'], 127 - events['x']
    words = np.empty((len(events['t']), 2), '>u4')
    words[:, 0] = sensor_y << 8 | sensor_x << 1 | 1 - events['p']
    words[:, 1] = events['t']
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(AEDAT2_HEADER + words.tobytes())
    return path


def aedat3_packet(
    kind: int, rows: Sequence[tuple[int, int]], overflow: int = 0
) -> bytes:
    """Return a packet of events of 8 bytes: header and (data, time) pairs."""
    number = len(rows)
    header = struct.pack('<HHIIIIII', kind, 1, 8, 4, overflow, number, number, number)
    return header + b''.join(struct.pack('<II', *row) for row in rows)


def write_aedat3(path: Path, events: Events, packet: int = 50) -> Path:
    """Write packets of polarity events, with one of special events between them."""
    data = events['x'] << 17 | events['y'] << 2 | events['p'] << 1 | 1
    rows = list(zip(data.tolist(), events['t'].tolist(), strict=True))
    chunks = [rows[i : i + packet] for i in range(0, len(rows), packet)]
    packets = [aedat3_packet(1, chunk) for chunk in chunks]
    packets.insert(1, aedat3_packet(0, [(3, 0)]))
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(AEDAT3_HEADER + b''.join(packets))
    return path


def write_npz(path: Path, events: Mapping[str, np.ndarray]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    np.savez(path, **events)
    return path


def write_cifar10_dvs(root: Path, per_class: int = 12, layout: str = 'aedat2') -> None:
    """Write class folders; the first file of class 3 has 3012 events."""
    for label, name in enumerate(CLASSES):
        for number in range(per_class):
            events = make_events(100 * label + number, 1000 * label + number + 12)
            stem = root / name / f'cifar10_{name}_{number}'
            if layout == 'npz':
                write_npz(stem.with_suffix('.npz'), events)
            else:
                write_aedat2(stem.with_suffix('.aedat'), events)


# Rows of each recording's table: class from 1, begin, end. The last is a second sample
# of class 1 that overlaps the one before it, as some of the published ones do.
GESTURE_ROWS = [(i + 1, 1000 * i, 1000 * i + 900) for i in range(11)]
GESTURE_ROWS += [(1, 10500, 11400)]
GESTURE_LISTS = {
    'train': ['user01_fluorescent', 'user02_led'],
    'test': ['user24_lab'],
}


def gesture_events(name: str) -> Events:
    return make_events(sum(name.encode()), 1200)


def write_dvs128_gesture(folder: Path) -> None:
    """Write recordings, their tables and the lists of the splits."""
    folder.mkdir(parents=True, exist_ok=True)
    rows = [f'{label},{begin},{end}' for label, begin, end in GESTURE_ROWS]
    table = '\n'.join(['class,startTime_usec,endTime_usec', *rows, ''])
    for split, names in GESTURE_LISTS.items():
        listed = ''.join(f'{name}.aedat\n' for name in names)
        (folder / f'trials_to_{split}.txt').write_text(listed + '\n')
        for name in names:
            write_aedat3(folder / f'{name}.aedat', gesture_events(name))
            (folder / f'{name}_labels.csv').write_text(table)


def count(events: Events, num_steps: int) -> np.ndarray:
    """Integrate event by event, as the paper words it."""
    number = len(events['t'])
    frames = np.zeros((num_steps, 2, 128, 128))
    for i in range(number):
        step = min(i // (number // num_steps), num_steps - 1)
        frames[step, events['p'][i], events['y'][i], events['x'][i]] += 1
    return frames


WRITERS: dict[str, Callable[[Path, Events], Path]] = {
    'aedat2': write_aedat2,
    'aedat3': write_aedat3,
    'npz': write_npz,
}
"""What writes each layout."""
