"""Event files: what is read is what was written, and how it becomes frames."""

import sys
from pathlib import Path

import numpy as np
import pytest

from mmsnn.datasets.events.frames import integrate
from mmsnn.datasets.events.readers import import_spikingjelly, read_events

from .event_files import (
    AEDAT2_HEADER,
    AEDAT3_HEADER,
    WRITERS,
    aedat3_packet,
    count,
    make_events,
)


@pytest.mark.parametrize('layout', WRITERS)
def test_reads_what_was_written(layout: str, tmp_path: Path) -> None:
    events = make_events(0, 333, begin=7)
    read = read_events(WRITERS[layout](tmp_path / 'a.npz', events), layout)
    for name in 'txyp':
        np.testing.assert_array_equal(read[name], events[name], err_msg=name)


# Of AEDAT 2, sensor x 5 (bits 1-7), y 9 (bits 8-14), polarity 1 (bit 0); of AEDAT 3,
# valid (bit 0), polarity (1), y (2-16), x (17-31), and an overflow of the time.
@pytest.mark.parametrize(
    ('layout', 'content', 'event'),
    [
        (
            'aedat2',
            AEDAT2_HEADER + bytes([0, 0, 9, 5 << 1 | 1, 0, 0, 1, 2]),
            [258, 127 - 9, 127 - 5, 0],
        ),
        (
            'aedat3',
            AEDAT3_HEADER + aedat3_packet(1, [(5 << 17 | 9 << 2 | 1 << 1 | 1, 258)], 1),
            [2**31 + 258, 5, 9, 1],
        ),
    ],
)
def test_an_event_by_hand(
    layout: str, content: bytes, event: list[int], tmp_path: Path
) -> None:
    (tmp_path / 'a.aedat').write_bytes(content)
    events = read_events(tmp_path / 'a.aedat', layout)
    assert [int(events[name][0]) for name in 'txyp'] == event


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


def test_places_and_polarities_of_hand_made_events() -> None:
    events = {
        't': np.array([0, 1, 2, 3, 4]),
        'x': np.array([3, 3, 127, 0, 0]),
        'y': np.array([8, 8, 0, 127, 127]),
        'p': np.array([1, 1, 0, 0, 1]),
    }
    expected = np.zeros((2, 2, 128, 128))
    expected[0, 1, 8, 3] = 2
    expected[1, 0, 0, 127] = expected[1, 0, 127, 0] = expected[1, 1, 127, 0] = 1
    np.testing.assert_array_equal(integrate(events, 2, 'it'), expected)


def test_counts_above_a_byte_are_kept() -> None:
    events = {name: np.zeros(1000, int) for name in 'txyp'}
    assert integrate(events, 2, 'it')[:, 0, 0, 0].tolist() == [500, 500]


def test_readers_need_no_torchaudio(monkeypatch: pytest.MonkeyPatch) -> None:
    """And leave nothing in the place of SpikingJelly's package of data sets."""
    package = 'spikingjelly.datasets'
    for name in [name for name in sys.modules if name.startswith(package)]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, 'torchaudio', None)
    module = import_spikingjelly('cifar10_dvs')
    assert module.__name__ == f'{package}.cifar10_dvs'
    assert package not in sys.modules
