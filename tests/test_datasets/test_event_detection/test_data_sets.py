"""Detection data sets of events in their real layouts, to the batch of a detector."""

import numpy as np
import pytest
import torch
from mmdet.registry import DATASETS
from mmengine.dataset import pseudo_collate

from mmsnn.datasets import Gen1Detection, MegapixelDetection, PEDRoDetection
from mmsnn.datasets.events.detection import (
    BOX,
    BoxFilter,
    clip_boxes,
    count_events,
    write_boxes,
    write_dat,
)
from mmsnn.datasets.transforms import (
    LoadEventWindow,
    PackEventDetInputs,
    RandomEventNoise,
)
from mmsnn.models.event_preprocessor import EventDetDataPreprocessor
from mmsnn.utils.errors import UserError

PIPELINE = [
    dict(type='mmsnn.LoadEventWindow', num_steps=5, num_bins=2),
    dict(type='LoadAnnotations', with_bbox=True),
]
PACK = dict(type='mmsnn.PackEventDetInputs')


def box(t, x=10, y=20, w=40, h=30, class_id=0, track=0):
    return (t, x, y, w, h, class_id, 1, track)


def write_recording(folder, name, boxes, size=(240, 304), end=2_000_000):
    folder.mkdir(parents=True, exist_ok=True)
    t = np.arange(0, end + 1, 1000)
    events = {
        't': t,
        'x': t // 1000 % size[1],
        'y': t // 1000 % size[0],
        'p': t // 1000 % 2,
    }
    write_dat(folder / f'{name}_td.dat', events, size)
    write_boxes(folder / f'{name}_bbox.npy', np.array(boxes, BOX))


@pytest.mark.parametrize(
    ('boxes', 'kept'),
    [
        ([(500_000, 40, 40)], [False]),
        ([(500_001, 40, 40)], [True]),
        ([(600_000, 10, 29), (600_000, 10, 28.2), (600_000, 9.9, 60)], [1, 0, 0]),
        ([(600_000, 18, 24)], [True]),  # a diagonal of exactly 30
    ],
)
def test_the_filter(boxes, kept):
    boxes = np.array(boxes, [('t', 'i8'), ('w', 'f4'), ('h', 'f4')])
    assert BoxFilter(30, 10).keeps(boxes).tolist() == [bool(k) for k in kept]


def test_clipping():
    boxes = np.array([box(0, -5, 230, 20, 20), box(0, 400, 0, 5, 5)], BOX)
    clipped = clip_boxes(boxes, (240, 304))
    assert [tuple(clipped[0][n] for n in 'xywh')] == [(0, 230, 15, 10)]
    assert clipped[1]['w'] == 0


def test_labelled_times_of_gen1(tmp_path, caplog):
    write_recording(
        tmp_path / 'train',
        'a',
        [
            box(50_000),  # before 0.5 s
            box(600_000),
            box(600_000, class_id=1),
            box(700_000, w=5),  # too narrow
            box(700_000, w=290, h=50),  # a labelling error, in training
            box(2_500_000),  # after the last event
        ],
    )
    dataset = Gen1Detection(tmp_path, 'train')
    assert len(dataset) == 1
    info = dataset.get_data_info(0)
    assert info['window'] == (500_000, 600_000)
    assert (info['event_time'], info['recording']) == (600_000, 'train/a_td.dat')
    assert [item['bbox_label'] for item in info['instances']] == [0, 1]
    assert info['instances'][0]['bbox'] == [10, 20, 50, 50]
    tested = Gen1Detection(tmp_path, 'train', test_mode=True)
    assert [tested.get_data_info(i)['event_time'] for i in range(2)] == [
        600_000,
        700_000,
    ]
    cars = Gen1Detection(tmp_path, 'train', metainfo=dict(classes=('pedestrian',)))
    (pedestrian,) = cars.get_data_info(0)['instances']
    assert pedestrian['bbox_label'] == 0
    with pytest.raises(ValueError, match="one of car, pedestrian, but got 'bus'"):
        Gen1Detection(tmp_path, metainfo=dict(classes=('car', 'bus')))


def test_windows_outside_the_recording_are_skipped(tmp_path):
    write_recording(tmp_path / 'val', 'a', [box(600_000), box(2_500_000)])
    with pytest.raises(UserError, match='1 begin before .*, 1 end after'):
        Gen1Detection(tmp_path, 'val', duration=700_000, test_mode=True)


def test_classes_of_one_megapixel(tmp_path):
    boxes = [box(600_000, 0, 0, 90, 90, class_id=k) for k in (2, 5)]
    write_recording(tmp_path / 'test', 'a', boxes, (720, 1280))
    (only,) = MegapixelDetection(tmp_path, 'test', test_mode=True)
    assert [item['bbox_label'] for item in only['instances']] == [2]
    write_boxes(tmp_path / 'test/a_bbox.npy', np.array([box(600_000, class_id=9)], BOX))
    with pytest.raises(UserError, match='class_id 9'):
        MegapixelDetection(tmp_path, 'test')


@pytest.mark.parametrize('kind', [Gen1Detection, PEDRoDetection])
def test_missing_folders(tmp_path, kind):
    with pytest.raises(UserError, match='does not exist'):
        kind(tmp_path / 'none')
    with pytest.raises(UserError, match='train'):
        kind(tmp_path)
    with pytest.raises(ValueError, match='split must be one of'):
        kind(tmp_path, 'all')


def test_a_recording_without_boxes_file(tmp_path):
    write_recording(tmp_path / 'train', 'a', [box(600_000)])
    (tmp_path / 'train/a_bbox.npy').unlink()
    with pytest.raises(UserError, match='a_bbox.npy'):
        Gen1Detection(tmp_path)


@pytest.mark.parametrize('structured', [True, False])
def test_pedro(tmp_path, structured):
    (tmp_path / 'numpy/train').mkdir(parents=True)
    (tmp_path / 'xml/train').mkdir(parents=True)
    columns = {
        't': [500, 10_500, 40_400],
        'x': [0, 345, 5],
        'y': [259, 0, 6],
        'p': [1, 0, 1],
    }
    if structured:
        events = np.array(
            list(zip(*columns.values(), strict=True)), [(n, 'i8') for n in 'txyp']
        )
    else:
        events = np.array(list(columns.values())).T
    np.save(tmp_path / 'numpy/train/frame1.npy', events)
    (tmp_path / 'xml/train/frame1.xml').write_text(
        '<annotation><object><name>person</name><bndbox><xmin>3</xmin><ymin>4</ymin>'
        '<xmax>50</xmax><ymax>60</ymax></bndbox></object></annotation>'
    )
    dataset = PEDRoDetection(tmp_path)
    info = dataset.get_data_info(0)
    assert info['instances'][0]['bbox'] == [3, 4, 50, 60]
    frames = LoadEventWindow(4)(dict(info))['img']
    assert frames.shape == (260, 346, 8)
    t, p = np.unravel_index(np.arange(8), (4, 2))
    found = {(int(t[c]), int(y), int(x), int(p[c])) for y, x, c in np.argwhere(frames)}
    assert found == {(0, 259, 0, 1), (1, 0, 345, 0), (3, 6, 5, 1)}


@pytest.mark.parametrize(
    'xml', ['<annotation>', '<a><object><bndbox><xmin>3</xmin></bndbox></object></a>']
)
def test_damaged_pedro_boxes(tmp_path, xml):
    (tmp_path / 'numpy/train').mkdir(parents=True)
    (tmp_path / 'xml/train').mkdir(parents=True)
    np.save(tmp_path / 'numpy/train/frame1.npy', np.zeros((1, 4)))
    (tmp_path / 'xml/train/frame1.xml').write_text(xml)
    with pytest.raises(UserError, match='frame1.xml'):
        PEDRoDetection(tmp_path)


def test_counting_equals_a_loop():
    rng = np.random.default_rng(0)
    events = {
        't': np.sort(rng.integers(100, 1100, 300)),
        'x': rng.integers(0, 6, 300),
        'y': rng.integers(0, 5, 300),
        'p': rng.integers(0, 2, 300),
    }
    frames = count_events(events, (100, 1100), 5, 2, (5, 6))
    expected = np.zeros((5, 4, 5, 6))
    for t, x, y, p in zip(*(events[n] for n in 'txyp'), strict=True):
        part = (t - 100) // 100
        expected[part // 2, 2 * (part % 2) + p, y, x] += 1
    np.testing.assert_array_equal(frames, expected)


@pytest.mark.parametrize('kind', ['u2', 'u4', 'u8', 'i8'])
def test_small_types_do_not_overflow(kind):
    events = dict(t=[0, 39_000], x=[2, 300], y=[1, 200], p=[1, 0])
    stored = {name: np.array(values, kind) for name, values in events.items()}
    frames = count_events(stored, (0, 40_000), 5, 2, (260, 346))
    assert np.argwhere(frames).tolist() == [[0, 1, 1, 2], [4, 2, 200, 300]]


@pytest.fixture
def gen1(tmp_path):
    write_recording(tmp_path / 'train', 'a', [box(600_000), box(800_000, x=200)])
    return tmp_path


def build(root, *steps, **options):
    cfg = dict(type='mmsnn.Gen1Detection', data_root=str(root), _scope_='mmdet')
    return DATASETS.build(dict(cfg, pipeline=[*PIPELINE, *steps, PACK], **options))


def test_flips_move_frames_and_boxes(gen1):
    plain, flipped = (
        build(gen1, dict(type='RandomFlip', prob=p))[0] for p in (0.0, 1.0)
    )
    assert plain['inputs'].shape == (5, 4, 240, 304)
    torch.testing.assert_close(flipped['inputs'], plain['inputs'].flip(-1))
    boxes = flipped['data_samples'].gt_instances.bboxes.tensor
    assert boxes.tolist() == [[254, 20, 294, 50]]
    # labels of the metric stay in the pixels of the sensor
    assert flipped['data_samples'].instances[0]['bbox'] == [10, 20, 50, 50]


@pytest.mark.parametrize(
    'steps',
    [
        [dict(type='Resize', scale=(152, 120), keep_ratio=True)],
        [
            dict(
                type='Expand', mean=[0] * 20, to_rgb=False, ratio_range=(2, 2), prob=1.0
            )
        ],
        [dict(type='RandomCrop', crop_size=(200, 300), allow_negative_crop=True)],
        [dict(type='mmsnn.RandomEventNoise', rate=0.1)],
    ],
)
def test_mmdetections_transforms_take_frames(gen1, steps):
    sample = build(gen1, *steps)[0]
    inputs = sample['inputs']
    assert inputs.shape[:2] == (5, 4)
    assert tuple(inputs.shape[2:]) == sample['data_samples'].img_shape
    assert inputs.sum() > 0


def test_noise():
    frames = np.zeros((20, 30, 8), np.float32)
    noisy = RandomEventNoise(0.5)({'img': frames})['img']
    assert noisy.dtype == np.float32
    assert 0.4 < noisy.mean() < 0.6
    with pytest.raises(ValueError, match='rate must not be negative'):
        RandomEventNoise(-1)


def test_packing_needs_whole_time_steps():
    with pytest.raises(UserError, match='multiple of the 3 time steps'):
        PackEventDetInputs()({'img': np.zeros((2, 2, 4)), 'num_steps': 3})


def test_batches(gen1):
    dataset = build(gen1)
    data = pseudo_collate([dataset[0], dataset[1]])
    data['inputs'][1] = data['inputs'][1][..., :200, :250]
    batch = EventDetDataPreprocessor(5, channels=4, pad_size_divisor=64)(data)
    assert batch['inputs'].shape == (2, 5, 4, 256, 320)
    torch.testing.assert_close(
        batch['inputs'][0, ..., :240, :304], dataset[0]['inputs']
    )
    assert batch['inputs'][1, ..., 200:, :].sum() == 0
    for sample in batch['data_samples']:
        assert sample.pad_shape == sample.batch_input_shape == (256, 320)
        assert isinstance(sample.gt_instances.bboxes, torch.Tensor)


@pytest.mark.parametrize('shape', [(4, 5, 8, 8), (5, 2, 8, 8), (20, 8, 8)])
def test_another_order_of_axes_raises(shape):
    with pytest.raises(UserError, match='num_steps=5, channels=4'):
        EventDetDataPreprocessor(5, channels=4)({'inputs': [torch.zeros(shape)]})
