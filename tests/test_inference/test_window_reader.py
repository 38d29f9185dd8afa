"""Recordings of events are cut into the windows that a config's loader takes."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from mmengine.registry import DefaultScope
from test_datasets.test_event_detection.rvt import random_histograms, write_rvt

from mmsnn.datasets.events.detection import (
    RECORDING_FILES,
    DatFile,
    NpyFile,
    RecordingFile,
    write_dat,
)
from mmsnn.datasets.transforms import LoadEventWindow
from mmsnn.inference.picture_sources import Source, find_sources
from mmsnn.inference.source_readers import WindowReader, make_reader, reads_events
from mmsnn.utils.config_files import load_config
from mmsnn.utils.errors import UserError

SIZE = (30, 40)
DURATION = 100_000
CONFIGS = 'mmsnn::spiking_retinanet/'
GEN1 = CONFIGS + 'spiking-retinanet_sg-r18-asd_fpn_8xb8-12e_gen1.py'
PEDRO = CONFIGS + 'spiking-retinanet_sg-r18-asd_fpn_8xb8-12e_pedro.py'
DIGITS = CONFIGS + 'spiking-retinanet_sg-r10-asd_fpn_1xb8-8e_digits.py'
STEPS = [
    dict(type='mmsnn.LoadEventWindow', num_steps=4, num_bins=2),
    dict(type='mmsnn.PackEventDetInputs'),
]


@pytest.fixture(autouse=True)
def scope() -> Iterator[None]:
    with DefaultScope.overwrite_default_scope('mmdet'):
        yield


def make_events(last: int, number: int = 2000, first: int = 70) -> dict[str, Any]:
    rng = np.random.default_rng(0)
    t = np.sort(rng.integers(first, last + 1, number))
    t[0], t[-1] = first, last
    x, y = (rng.integers(0, side, number) for side in reversed(SIZE))
    return dict(t=t, x=x, y=y, p=rng.integers(0, 2, number))


def write_npy(path: Path, events: dict[str, Any]) -> None:
    np.save(path, np.stack([events[name] for name in 'txyp'], 1))


def source(path: Path) -> Source:
    return Source('events', path, f'{path.stem}.mp4')


def reader(single_frames: bool = False, duration: int = DURATION) -> WindowReader:
    return WindowReader(STEPS, duration, SIZE, single_frames)


def test_windows_hold_the_frames_that_are_trained_on(tmp_path: Path) -> None:
    path = tmp_path / 'a.dat'
    events = make_events(350_000)
    write_dat(path, events, SIZE)
    found = list(reader().read(source(path)))
    assert [(p.frame, p.window) for p in found] == [
        (k, (70 + k * DURATION, 70 + (k + 1) * DURATION)) for k in range(len(found))
    ]
    assert len(found) == 3 == reader().count([source(path)])
    for picture in found:
        sample = dict(img_path=str(path), layout='dat', window=picture.window)
        size = dict(height=SIZE[0], width=SIZE[1])
        expected = LoadEventWindow(4, 2)({**sample, **size})['img']
        inputs = picture.sample['inputs'].numpy()
        np.testing.assert_array_equal(
            inputs.reshape(-1, *SIZE), expected.T.swapaxes(1, 2)
        )
        for polarity in (0, 1):
            np.testing.assert_array_equal(
                picture.pixels[..., polarity], inputs[:, polarity::2].sum((0, 1))
            )
        meta = picture.sample['data_samples'].metainfo
        assert meta['event_time'] == picture.window[1]


@pytest.mark.parametrize(
    ('length', 'windows'), [(1, 1), (140_000, 1), (160_000, 2), (1_000_000, 10)]
)
def test_a_rest_below_half_a_window_is_left_out(tmp_path, length, windows) -> None:
    path = tmp_path / 'a.dat'
    write_dat(path, make_events(70 + length - 1, 10), SIZE)
    found = list(reader().read(source(path)))
    assert len(found) == windows
    # a recording of one window is no video
    assert [p.frame for p in found] == ([None] if windows == 1 else [*range(windows)])


def test_frames_of_a_stream_are_those_of_its_windows(tmp_path: Path) -> None:
    path = tmp_path / 'a.dat'
    # not divisible by 4
    duration = 33_333
    write_dat(path, make_events(70 + 10 * duration), SIZE)
    frames = list(reader(True, duration).read(source(path)))
    assert len(frames) == 40
    ends = [p.window[1] for p in frames]
    assert [p.window[0] for p in frames] == [70, *ends[:-1]]
    assert ends[3::4] == [70 + k * duration for k in range(1, 11)]
    whole = sum(float(p.sample['inputs'].sum()) for p in frames)
    assert whole == sum(
        float(p.sample['inputs'].sum())
        for p in reader(False, duration).read(source(path))
    )
    assert all(p.sample['inputs'].shape == (1, 4, *SIZE) for p in frames)


def test_npy_is_read_as_dat(tmp_path: Path) -> None:
    events = make_events(350_000)
    write_dat(tmp_path / 'a.dat', events, SIZE)
    write_npy(tmp_path / 'a.npy', events)
    fields = [('p', '?'), ('y', '<u2'), ('x', '<u2'), ('t', '<f8')]
    stored = np.empty(len(events['t']), fields)
    for name in 'txyp':
        stored[name] = events[name]
    np.save(tmp_path / 'b.npy', stored)
    expected = list(reader().read(source(tmp_path / 'a.dat')))
    for name in ('a.npy', 'b.npy'):
        found = list(reader().read(source(tmp_path / name)))
        for a, b in zip(found, expected, strict=True):
            assert a.window == b.window
            assert (a.sample['inputs'] == b.sample['inputs']).all()


def test_a_sample_of_pedro_is_one_window(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    t = 5_000_000 + np.sort(rng.integers(0, 40_300, 500))
    events = dict(t=t, x=t % 346, y=t % 260, p=t % 2)
    write_npy(tmp_path / 'frame1.npy', events)
    cfg = load_config(PEDRO)
    (picture,) = make_reader(cfg).read(source(tmp_path / 'frame1.npy'))
    assert picture.window == (t[0], t[0] + 40_000)
    inside = int((t < t[0] + 40_000).sum())
    assert float(picture.sample['inputs'].sum()) == inside > 450
    assert picture.pixels.shape == (260, 346, 2)


def test_rvt_files_are_cut_into_windows(tmp_path: Path) -> None:
    cfg = load_config(GEN1.replace('gen1', 'gen1-rvt'))
    stored = random_histograms(11)
    path = write_rvt(tmp_path / 'a', [(150_000, 5, 5, 50, 50, 0, 0, 1)], stored)
    (found,) = find_sources([str(tmp_path)], tmp_path / 'out', events=True)
    assert found.place == path
    first, second = make_reader(cfg).read(found)
    assert first.window == (50_000, 300_000) and second.window == (300_000, 550_000)
    assert second.sample['inputs'].sum() == stored[5:10].sum()


def test_rvt_files_whose_histograms_are_not_exactly_50_ms_apart(tmp_path: Path) -> None:
    stored = random_histograms(14)
    path = write_rvt(tmp_path / 'a', [(150_000, 5, 5, 50, 50, 0, 0, 1)], stored)
    times = path.with_name('timestamps_us.npy')
    np.save(times, (np.load(times) * 0.999).astype(int))
    found = make_reader(load_config(GEN1.replace('gen1', 'gen1-rvt'))).read(
        source(path)
    )
    # the remainder of four histograms cannot be padded
    assert [p.sample['inputs'].sum() for p in found] == [
        stored[:5].sum(),
        stored[5:10].sum(),
    ]


def test_the_config_states_the_window() -> None:
    for name, duration, size in (
        (GEN1, 100_000, (240, 304)),
        (PEDRO, 40_000, (260, 346)),
    ):
        cfg = load_config(name)
        assert reads_events(cfg)
        found = make_reader(cfg)
        assert (found._duration, found._size) == (duration, size)
        assert found.blank()['inputs'].shape == (5, 4, *size)
    option = {'test_dataloader.dataset.duration': 50_000}
    assert make_reader(load_config(GEN1, option))._duration == 50_000
    assert not reads_events(load_config(DIGITS))
    cfg.test_dataloader.dataset.type = 'CocoDataset'
    with pytest.raises(UserError, match='EventDetectionDataset'):
        make_reader(cfg)
    cfg.test_dataloader.dataset.pipeline = [dict(type='mmsnn.LoadEventFrames')]
    with pytest.raises(UserError, match='must begin with LoadImageFromFile'):
        make_reader(cfg)


def test_a_registered_format_is_read(tmp_path: Path) -> None:
    calls = []

    def frames(path, window, num_steps, num_bins, size) -> np.ndarray:
        calls.append((path.name, window))
        return np.ones((num_steps, 2 * num_bins, *size), np.float32)

    try:
        RECORDING_FILES.register('.mine', RecordingFile(lambda path: (5, 204), frames))
        (tmp_path / 'a.mine').write_text('')
        (found,) = find_sources([str(tmp_path)], tmp_path / 'out', events=True)
        pictures = list(reader(duration=100).read(found))
    finally:
        del RECORDING_FILES['.mine']
    assert calls == [('a.mine', (5, 105)), ('a.mine', (105, 205))]
    assert (pictures[0].pixels == 8).all()


def test_boxes_and_pictures_are_no_recordings(tmp_path: Path) -> None:
    write_dat(tmp_path / 'a_td.dat', make_events(100), SIZE)
    for name in ('a_bbox.npy', 'b.png', 'c.txt'):
        (tmp_path / name).write_text('')
    (found,) = find_sources([str(tmp_path)], tmp_path / 'out', events=True)
    assert found.kind == 'events' and found.name == 'a_td.mp4'
    for word, part in (
        ('b.png', "'.*b.png' is not a recording"),
        ('c.txt', '.dat, .npy, .h5'),
    ):
        with pytest.raises(UserError, match=part):
            find_sources([str(tmp_path / word)], tmp_path / 'out', events=True)
    with pytest.raises(UserError, match='7 is a camera'):
        find_sources(['7'], tmp_path / 'out', events=True)
    with pytest.raises(UserError, match='is a recording of events'):
        find_sources([str(tmp_path / 'a_td.dat')], tmp_path / 'out')


def damaged(**columns: Any) -> np.ndarray:
    events = {**make_events(1000, 10), **columns}
    return np.stack([np.broadcast_to(events[name], 10) for name in 'txyp'], 1)


@pytest.mark.parametrize(
    ('stored', 'named'),
    [
        (np.zeros((3, 5)), 'columns t, x, y and p'),
        (np.zeros((0, 4)), 'no events'),
        (np.zeros(3, [('t', 'i8'), ('x', 'i8')]), 'it lacks p, y'),
        (np.zeros((3, 2), [(name, 'i8') for name in 'txyp']), r'shape \[3, 2\]'),
        (np.zeros((), [(name, 'i8') for name in 'txyp']), r'shape \[\]'),
        (np.array([object()]), 'Python objects'),
        (damaged(t=[*range(9), -1]), 'runs back from 0 to -1'),
        (damaged(t=[0, 5, 3, 200_000, 100, *range(200_001, 200_006)]), 'runs back'),
        (damaged(x=40), r'x \(column'),
        (damaged(t=np.arange(10) / 10), 'whole number'),
        (damaged(p=2), 'polarity'),
    ],
)
def test_damaged_npy(tmp_path: Path, stored: np.ndarray, named: str) -> None:
    path = tmp_path / 'damaged.npy'
    np.save(path, stored, allow_pickle=True)
    with pytest.raises(UserError, match=named) as error:
        list(reader().read(source(path)))
    assert str(path) in str(error.value)


def test_a_truncated_npy(tmp_path: Path) -> None:
    write_npy(tmp_path / 'a.npy', make_events(1000))
    content = (tmp_path / 'a.npy').read_bytes()
    for size in (len(content) - 5, 100, 3, 0):
        (tmp_path / 'a.npy').write_bytes(content[:size])
        with pytest.raises(UserError, match='a.npy'):
            NpyFile(tmp_path / 'a.npy')
    # Python's tokenizer fails
    (tmp_path / 'a.npy').write_bytes(content.replace(b'}', b'('))
    with pytest.raises(UserError, match='a.npy'):
        NpyFile(tmp_path / 'a.npy')
    with pytest.raises(UserError, match='not a regular file'):
        NpyFile(tmp_path)


def test_a_long_recording_is_not_kept_in_memory(tmp_path: Path) -> None:
    """Windows of a file of 64 MiB add less than 8 MiB at any time."""
    number = 2**23
    path = tmp_path / 'long.dat'
    write_dat(path, make_events(40_000_000, 100), SIZE)
    head = path.read_bytes()[: -100 * 8]
    packed = np.zeros((number, 2), '<u4')
    packed[:, 0] = np.linspace(70, 40_000_000, number).astype(np.uint32)
    with path.open('wb') as file:
        file.write(head)
        packed.tofile(file)
    del packed
    assert len(DatFile(path)) == number
    windows = reader().read(source(path))
    next(windows)
    before, most = resident(), 0
    for _ in windows:
        most = max(most, resident())
    assert most - before < 2**23


def resident() -> int:
    """Return the memory of this process that is resident, memory-mapped files too."""
    pages = int(Path('/proc/self/statm').read_text().split()[1])
    return pages * 4096
