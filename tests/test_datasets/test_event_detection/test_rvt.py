"""Gen1 and 1 Mpx as RVT's preprocessed files: samples, frames, damaged files."""

import shutil
import sys

import h5py
import numpy as np
import pytest
import torch
from mmdet.registry import DATASETS
from mmengine.dataset import pseudo_collate
from torch.utils.data import DataLoader

from mmsnn.datasets import Gen1Detection, RVTGen1Detection, RVTMegapixelDetection
from mmsnn.datasets.events.detection import BOX, count_events
from mmsnn.datasets.transforms import LoadEventWindow
from mmsnn.utils.errors import UserError

from .rvt import FOLDER, MEGAPIXEL, random_histograms, write_rvt
from .test_data_sets import box, write_recording

BOXES = [
    box(150_000),  # before 0.5 s
    box(600_000),
    box(600_000, class_id=1, x=100),
    box(700_000, w=5),  # too narrow
    box(700_000, w=290, h=50),  # a labelling error, in training
    box(800_000, x=200),
]


@pytest.fixture(scope='module')
def template(tmp_path_factory):
    folder = tmp_path_factory.mktemp('rvt')
    write_rvt(folder / 'train/a', BOXES, random_histograms(16))
    return folder


@pytest.fixture
def gen1(template, tmp_path):
    shutil.copytree(template, tmp_path, dirs_exist_ok=True)
    return tmp_path


def test_labelled_times(gen1):
    dataset = RVTGen1Detection(gen1, duration=250_000)
    first, last = (dataset.get_data_info(i) for i in range(len(dataset)))
    assert (first['event_time'], last['event_time']) == (600_000, 800_000)
    assert first['window'] == (350_000, 600_000)
    assert (first['height'], first['width']) == (240, 304)
    assert [item['bbox_label'] for item in first['instances']] == [0, 1]
    assert first['instances'][0]['bbox'] == [10, 20, 50, 50]
    tested = RVTGen1Detection(gen1, test_mode=True)
    times = [tested.get_data_info(i)['event_time'] for i in range(len(tested))]
    assert times == [600_000, 700_000, 800_000]
    with pytest.raises(ValueError, match='multiple of 50000 us, but got 120000'):
        RVTGen1Detection(gen1, duration=120_000)


def test_samples_equal_those_of_prophesees_files(tmp_path, gen1):
    write_recording(tmp_path / 'raw/train', 'a', BOXES)
    plain = Gen1Detection(tmp_path / 'raw').get_data_info(0)
    preprocessed = RVTGen1Detection(gen1).get_data_info(0)
    differing = {'img_path', 'layout', 'recording'}
    assert plain.keys() == preprocessed.keys()
    for key in plain.keys() - differing:
        assert plain[key] == preprocessed[key], key


@pytest.mark.parametrize(('num_steps', 'num_bins'), [(5, 10), (5, 2), (1, 25), (10, 1)])
def test_frames_are_sums_of_the_windows_bins(gen1, num_steps, num_bins):
    info = RVTGen1Detection(gen1, duration=250_000).get_data_info(0)
    results = LoadEventWindow(num_steps, num_bins)(dict(info))
    frames = results['img'].transpose(2, 0, 1).reshape(num_steps, -1, 240, 304)
    assert frames.dtype == np.float32
    assert frames.shape[1] == 2 * num_bins
    # the histogram that ends at 600 ms has index 10
    bins = random_histograms(16)[6:11].reshape(5, 2, 10, 240, 304)
    for polarity in (0, 1):
        expected = bins[:, polarity].reshape(num_steps * num_bins, -1, 240, 304).sum(1)
        seen = frames[:, polarity::2].reshape(-1, 240, 304)
        np.testing.assert_array_equal(seen, expected)


def test_frames_equal_those_of_the_events(tmp_path):
    """Histograms of events, made as RVT makes them, give the frames of the events."""
    rng = np.random.default_rng(0)
    number = 4000
    events = {
        # an event at both ends of each histogram, between which RVT divides the bins
        't': np.sort(np.r_[rng.integers(400_000, 600_000, number), _ends()]),
        'x': rng.integers(0, 304, number + 8),
        'y': rng.integers(0, 240, number + 8),
        'p': rng.integers(0, 2, number + 8),
    }
    histograms = np.zeros((16, 2, 10, 240, 304), np.uint8)
    for index in range(7, 11):
        begin = (index + 1) * 50_000
        inside = (events['t'] >= begin) & (events['t'] < begin + 50_000)
        t, x, y, p = (events[name][inside] for name in 'txyp')
        place = np.minimum((t - t[0]) * 10 // (t[-1] - t[0]), 9)
        np.add.at(histograms[index], (p, place, y, x), 1)
    write_rvt(tmp_path / 'train/a', BOXES, histograms.reshape(16, 20, 240, 304))
    dataset = RVTGen1Detection(tmp_path, duration=200_000)
    info = dataset.get_data_info(0)
    found = LoadEventWindow(4, 2)(dict(info))['img']
    expected = count_events(events, info['window'], 4, 2, (240, 304))
    expected = expected.reshape(-1, 240, 304).transpose(1, 2, 0)
    # the last event is at 49.999 ms: those that change their bin are few
    assert found.sum() == expected.sum() == number + 8
    assert np.abs(found - expected).sum() <= 8


def _ends():
    begins = np.arange(400_000, 600_000, 50_000)
    return np.r_[begins, begins + 49_999]


def test_one_megapixel_is_downsampled(tmp_path):
    boxes = [
        box(600_000, 100, 50, 90, 80, class_id=2),
        box(600_000, 0, 0, 45, 30, class_id=0),  # too small, in pixels of the sensor
        box(600_000, 900, 500, 90, 90, class_id=5),  # a class that is not evaluated
    ]
    histograms = random_histograms(12, (360, 640))
    write_rvt(tmp_path / 'test/b', boxes, histograms, MEGAPIXEL)
    (sample,) = RVTMegapixelDetection(tmp_path, 'test', test_mode=True)
    assert (sample['height'], sample['width']) == (360, 640)
    (instance,) = sample['instances']
    assert (instance['bbox'], instance['bbox_label']) == ([50, 25, 95, 65], 2)
    assert LoadEventWindow(2)(sample)['img'].shape == (360, 640, 4)


def test_windows_before_the_first_histogram_are_skipped(gen1):
    with pytest.raises(UserError, match='skipped: 3 begin before the first histogram'):
        RVTGen1Detection(gen1, duration=900_000, test_mode=True)
    dataset = RVTGen1Detection(gen1, duration=550_000)
    # the first histogram ends at 100 ms, the eleventh at 600 ms
    assert dataset.get_data_info(0)['event_time'] == 600_000
    LoadEventWindow(11)(dataset.get_data_info(0))


def test_indivisible_windows(gen1):
    info = RVTGen1Detection(gen1).get_data_info(0)
    with pytest.raises(UserError, match=r'20 bins .* multiple of .* = 3 \* 2'):
        LoadEventWindow(3, 2)(info)


def test_batches_of_workers(gen1):
    dataset = DATASETS.build(
        dict(
            type='mmsnn.RVTGen1Detection',
            data_root=str(gen1),
            _scope_='mmdet',
            pipeline=[
                dict(type='mmsnn.LoadEventWindow', num_steps=2, num_bins=10),
                dict(type='LoadAnnotations', with_bbox=True),
                dict(type='RandomFlip', prob=0.0),
                dict(type='mmsnn.PackEventDetInputs'),
            ],
        )
    )
    expected = [dataset[i]['inputs'] for i in range(2)]
    assert expected[0].shape == (2, 20, 240, 304)
    loader = DataLoader(dataset, 1, num_workers=2, collate_fn=pseudo_collate)
    for batch, inputs in zip(loader, expected, strict=True):
        torch.testing.assert_close(batch['inputs'][0], inputs)


def _cut(path):
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 2])


def _spoil(path):
    content = bytearray(path.read_bytes())
    content[len(content) // 2 :] = bytes(len(content) - len(content) // 2)
    path.write_bytes(content)


def _rename_data(path):
    with h5py.File(path, 'r+') as file:
        file.move('data', 'frames')


def _shorten(path):
    with h5py.File(path, 'r+') as file:
        file['data'].resize(3, axis=0)


EVENTS = f'{FOLDER}/event_representations.h5'
TIMES, INDEX = f'{FOLDER}/timestamps_us.npy', f'{FOLDER}/objframe_idx_2_repr_idx.npy'
LABELS = 'labels_v2/labels.npz'


@pytest.mark.parametrize(
    ('name', 'damage', 'reason'),
    [
        *((name, _cut, '') for name in (EVENTS, TIMES, INDEX, LABELS)),
        *((name, lambda p: p.unlink(), '') for name in (EVENTS, TIMES, INDEX, LABELS)),
        (LABELS, lambda p: np.savez(p, boxes=np.zeros(3)), 'labels'),
        (LABELS, lambda p: p.write_bytes(b'no archive'), ''),
        (LABELS, lambda p: np.save(p.open('wb'), np.zeros(3)), ''),
        (LABELS, lambda p: np.savez(p, labels=np.array([{}])), 'Object'),
        (LABELS, lambda p: np.savez(p, labels=np.zeros(3)), 'field'),
        (TIMES, lambda p: np.save(p, np.arange(16.0)), 'whole numbers'),
        (TIMES, lambda p: np.save(p, np.zeros(16, int)), 'run back'),
        (INDEX, lambda p: np.save(p, np.array([1, 10, 12])), '4 labelled times'),
        (INDEX, lambda p: np.save(p, np.array([1, 10, 12, 99])), '4 labelled times'),
        (EVENTS, _rename_data, "lacks the array 'data'"),
        (EVENTS, _shorten, r'uint8 \[16, 20, 240, 304\], but is uint8 \[3, '),
    ],
)
def test_damaged_files_are_named(gen1, name, damage, reason):
    path = gen1 / 'train/a' / name
    damage(path)
    with pytest.raises(UserError, match=f'{path.name}.*{reason}'):
        RVTGen1Detection(gen1)


def test_damaged_histograms_are_named(gen1):
    info = RVTGen1Detection(gen1).get_data_info(0)
    _spoil(gen1 / 'train/a' / EVENTS)
    with pytest.raises(UserError, match=r'event_representations\.h5.*extract it again'):
        LoadEventWindow(2)(info)


@pytest.mark.parametrize('module', ['h5py', 'hdf5plugin'])
def test_missing_packages(gen1, module, monkeypatch):
    monkeypatch.setitem(sys.modules, module, None)
    message = rf"{module} is not installed: pip install 'mmsnn\[rvt\]'"
    with pytest.raises(UserError, match=message):
        RVTGen1Detection(gen1)


def test_missing_folders(tmp_path):
    with pytest.raises(UserError, match='train.* does not exist'):
        RVTGen1Detection(tmp_path)
    (tmp_path / 'train').mkdir()
    with pytest.raises(UserError, match='no labelled times'):
        RVTGen1Detection(tmp_path)


def test_labels_are_read_by_the_names_of_their_fields(gen1):
    """In the order of Prophesee's first release, as in Gen1's files."""
    path = gen1 / 'train/a/labels_v2/labels.npz'
    names = ['t', 'x', 'y', 'w', 'h', 'class_id', 'track_id', 'class_confidence']
    stored = np.load(path)['labels']
    kinds = [(n, '<i8' if n == 't' else BOX[n].str) for n in names]
    other = np.empty(len(stored), kinds)
    for name in names:
        other[name] = stored[name]
    expected = RVTGen1Detection(gen1).get_data_info(0)
    np.savez(path, labels=other)
    assert RVTGen1Detection(gen1).get_data_info(0) == expected
