"""CIFAR10-DVS and DVS128 Gesture: layouts, splits, labels."""

from pathlib import Path

import numpy as np
import pytest
from mmengine.registry import DATASETS

import mmsnn  # noqa: F401
from mmsnn.datasets import CIFAR10DVS, DVS128Gesture
from mmsnn.datasets.events.base import EventDataset
from mmsnn.utils.errors import UserError

from .event_files import (
    GESTURE_LISTS,
    GESTURE_ROWS,
    Events,
    count,
    gesture_events,
    make_events,
    write_cifar10_dvs,
    write_dvs128_gesture,
    write_npz,
)

LOAD = [dict(type='mmsnn.LoadEventFrames', num_steps=4)]


def column(dataset: EventDataset, name: str = 'event_key') -> list:
    return [dataset.get_data_info(i)[name] for i in range(len(dataset))]


def window(events: Events, begin: int, end: int) -> Events:
    """Return events from begin (inclusive) to end (exclusive)."""
    inside = (events['t'] >= begin) & (events['t'] < end)
    return {name: values[inside] for name, values in events.items()}


def test_first_nine_tenths_of_every_class_are_for_training(cifar10_dvs: Path) -> None:
    """By name as text, as the SEW paper's code orders them: 10 and 11 before 2."""
    train, test = (CIFAR10DVS(cifar10_dvs, split) for split in ('train', 'test'))
    order = ['0', '1', '10', '11', '2', '3', '4', '5', '6', '7', '8', '9']
    names = [f'cat/cifar10_cat_{i}' for i in order]
    assert [key for key in column(train) if key.startswith('cat/')] == names[:11]
    assert [key for key in column(test) if key.startswith('cat/')] == names[11:]
    assert column(train, 'gt_label') == [
        label for label in range(10) for _ in range(11)
    ]
    assert column(test, 'gt_label') == list(range(10))


@pytest.mark.parametrize('suffix', ['npz', 'aedat'])
def test_published_number_gives_900_and_100(suffix: str, tmp_path: Path) -> None:
    """The last hundred names as text are for testing."""
    for name in CIFAR10DVS.METAINFO['classes']:
        (tmp_path / name).mkdir()
        for number in range(1000 if name == 'airplane' else 1):
            (tmp_path / name / f'cifar10_{name}_{number}.{suffix}').touch()
    train, test = (column(CIFAR10DVS(tmp_path, split)) for split in ('train', 'test'))
    assert (len(train), len(test)) == (909, 100)
    assert len({*train, *test}) == 1009
    assert test[:3] == [f'airplane/cifar10_airplane_{i}' for i in (909, 91, 910)]
    assert train[:3] == [f'airplane/cifar10_airplane_{i}' for i in (0, 1, 10)]


def test_data_set_that_is_not_whole_is_warned_of(
    cifar10_dvs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    messages: list[str] = []
    monkeypatch.setattr(
        'mmsnn.datasets.events.cifar10_dvs.print_log',
        lambda message, **_: messages.append(message),
    )
    CIFAR10DVS(cifar10_dvs)
    (message,) = messages
    assert 'is not all of CIFAR10-DVS' in message and 'cat 12, deer 12' in message


def test_gesture_splits_are_the_published_lists(gesture: Path) -> None:
    for split, names in GESTURE_LISTS.items():
        dataset = DVS128Gesture(gesture, split)
        assert {Path(path).stem for path in column(dataset, 'event_path')} == set(names)
        labels = [row[0] - 1 for row in GESTURE_ROWS] * len(names)
        assert column(dataset, 'gt_label') == labels


def test_gesture_samples_are_the_events_of_their_window(gesture: Path) -> None:
    """Windows that overlap included."""
    dataset = DVS128Gesture(gesture, 'test', pipeline=LOAD)
    events = gesture_events('user24_lab')
    for i, (_, begin, end) in enumerate(GESTURE_ROWS):
        expected = count(window(events, begin, end), 4)
        np.testing.assert_array_equal(dataset[i]['frames'], expected)
    assert column(dataset)[0] == 'test/0/user24_lab_0'
    assert column(dataset)[-1] == 'test/0/user24_lab_1'


@pytest.mark.parametrize(
    ('name', 'root', 'number'),
    [('CIFAR10DVS', 'cifar10_dvs', 120), ('DVS128Gesture', 'gesture', 36)],
)
def test_splits_are_disjoint_complete_and_reproducible(
    name: str, root: str, number: int, request: pytest.FixtureRequest
) -> None:
    def build(split: str) -> list[str]:
        data_root = str(request.getfixturevalue(root))
        cfg = dict(type=f'mmsnn.{name}', data_root=data_root, split=split)
        return column(DATASETS.build(cfg))

    train, test = build('train'), build('test')
    assert (train, test) == (build('train'), build('test'))
    assert not set(train) & set(test)
    assert len({*train, *test}) == len(train) + len(test) == number


@pytest.mark.parametrize('place', ['', 'extract', 'events_np'])
def test_layouts_of_cifar10_dvs_give_the_same(
    place: str, cifar10_dvs: Path, tmp_path: Path
) -> None:
    """Also frames that are cached from one layout do for no other."""
    published = CIFAR10DVS(cifar10_dvs, 'test', LOAD)
    layout = 'npz' if place == 'events_np' else 'aedat2'
    write_cifar10_dvs(tmp_path / place, layout=layout)
    other = CIFAR10DVS(tmp_path, 'test', LOAD)
    assert column(published) == column(other)
    for left, right in zip(published, other, strict=True):
        assert left['gt_label'] == right['gt_label']
        np.testing.assert_array_equal(left['frames'], right['frames'])


@pytest.mark.parametrize('place', ['', 'events_np'])
def test_spikingjellys_layout_of_gesture(
    place: str, gesture: Path, tmp_path: Path
) -> None:
    published = DVS128Gesture(gesture, 'train', LOAD)
    for split, names in GESTURE_LISTS.items():
        for name in names:
            seen = [0] * 11
            for number, begin, end in GESTURE_ROWS:
                stem = f'{split}/{number - 1}/{name}_{seen[number - 1]}'
                events = window(gesture_events(name), begin, end)
                write_npz(tmp_path / place / f'{stem}.npz', events)
                seen[number - 1] += 1
    other = DVS128Gesture(tmp_path, 'train', LOAD)
    assert sorted(column(published)) == sorted(column(other))
    frames = {item['event_key']: item['frames'] for item in published}
    for item in other:
        np.testing.assert_array_equal(item['frames'], frames[item['event_key']])


@pytest.mark.parametrize('place', ['', 'extract/DvsGesture'])
def test_places_of_published_gesture(place: str, tmp_path: Path) -> None:
    write_dvs128_gesture(tmp_path / place)
    assert len(DVS128Gesture(tmp_path)) == 24


@pytest.mark.parametrize('use_cache', [True, False])
def test_frames_are_loaded_as_floats(
    use_cache: bool, cifar10_dvs: Path, tmp_path: Path
) -> None:
    load = dict(LOAD[0], use_cache=use_cache, cache_dir=str(tmp_path))
    item = CIFAR10DVS(cifar10_dvs, 'train', [load])[1]
    assert item['frames'].dtype == np.float32
    assert item['ori_shape'] == item['img_shape'] == (128, 128)
    np.testing.assert_array_equal(item['frames'], count(make_events(1, 13), 4))
    assert any(tmp_path.iterdir()) == use_cache


def test_options_of_mmengine(cifar10_dvs: Path) -> None:
    dataset = CIFAR10DVS(cifar10_dvs, 'train', indices=[5, 3], lazy_init=True)
    assert not dataset._fully_initialized
    assert len(dataset) == 2 and len(dataset.metainfo['classes']) == 10
    assert len(CIFAR10DVS(cifar10_dvs, indices=7, serialize_data=False)) == 7


def test_window_without_events_is_named(tmp_path: Path) -> None:
    write_dvs128_gesture(tmp_path)
    path = tmp_path / 'user24_lab_labels.csv'
    path.write_text('class,a,b\n1,5000000,6000000\n')
    dataset = DVS128Gesture(tmp_path, 'test', LOAD)
    message = 'user24_lab.aedat. from 5000000 to 6000000 us .*no events'
    with pytest.raises(UserError, match=message):
        dataset[0]
