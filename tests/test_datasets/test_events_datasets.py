"""CIFAR10-DVS and DVS128 Gesture: layouts, splits, labels, mistakes."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

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
    count,
    gesture_events,
    make_events,
    write_cifar10_dvs,
    write_dvs128_gesture,
    write_npz,
)

LOAD = [dict(type='mmsnn.LoadEventFrames', num_steps=4)]


@pytest.fixture(scope='module')
def cifar10_dvs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp('cifar10_dvs')
    write_cifar10_dvs(root)
    return root


@pytest.fixture(scope='module')
def gesture(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp('dvs128_gesture')
    write_dvs128_gesture(root / 'DvsGesture')
    return root


def keys(dataset: EventDataset) -> list[str]:
    return [dataset.get_data_info(i)['event_key'] for i in range(len(dataset))]


def labels(dataset: EventDataset) -> list[int]:
    return [dataset.get_data_info(i)['gt_label'] for i in range(len(dataset))]


def test_first_nine_tenths_of_every_class_are_for_training(cifar10_dvs: Path) -> None:
    """By name as text, as the SEW paper's code orders them: 10 and 11 before 2."""
    train = CIFAR10DVS(cifar10_dvs, 'train')
    test = CIFAR10DVS(cifar10_dvs, 'test')
    order = ['0', '1', '10', '11', '2', '3', '4', '5', '6', '7', '8', '9']
    names = [f'cat/cifar10_cat_{i}' for i in order]
    assert [key for key in keys(train) if key.startswith('cat/')] == names[:11]
    assert [key for key in keys(test) if key.startswith('cat/')] == names[11:]
    assert labels(train) == [label for label in range(10) for _ in range(11)]
    assert labels(test) == list(range(10))


@pytest.mark.parametrize('layout', ['aedat2', 'npz'])
def test_published_number_gives_900_and_100(layout: str, tmp_path: Path) -> None:
    suffix = 'npz' if layout == 'npz' else 'aedat'
    for name in CIFAR10DVS.METAINFO['classes']:
        (tmp_path / name).mkdir()
        for number in range(1000):
            (tmp_path / name / f'cifar10_{name}_{number}.{suffix}').touch()
    train, test = (keys(CIFAR10DVS(tmp_path, split)) for split in ('train', 'test'))
    assert len(train) == 9000 and len(test) == 1000
    assert len({*train, *test}) == 10000
    # the last hundred names as text
    assert test[:3] == [f'airplane/cifar10_airplane_{i}' for i in (909, 91, 910)]
    assert train[:3] == [f'airplane/cifar10_airplane_{i}' for i in (0, 1, 10)]


def test_data_set_that_is_not_whole_is_warned_of(
    cifar10_dvs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    messages = []
    monkeypatch.setattr(
        'mmsnn.datasets.events.cifar10_dvs.print_log',
        lambda message, **_: messages.append(message),
    )
    CIFAR10DVS(cifar10_dvs)
    assert len(messages) == 1
    assert (
        'is not all of CIFAR10-DVS' in messages[0] and 'cat 12, deer 12' in messages[0]
    )


def test_gesture_splits_are_the_published_lists(gesture: Path) -> None:
    for split, names in GESTURE_LISTS.items():
        dataset = DVS128Gesture(gesture, split)
        paths = [dataset.get_data_info(i)['event_path'] for i in range(len(dataset))]
        assert {Path(path).stem for path in paths} == set(names)
        assert len(dataset) == len(names) * len(GESTURE_ROWS)
        assert labels(dataset) == [row[0] - 1 for row in GESTURE_ROWS] * len(names)


def test_gesture_samples_are_the_events_of_their_window(gesture: Path) -> None:
    """From begin (inclusive) to end (exclusive), windows that overlap included."""
    dataset = DVS128Gesture(gesture, 'test', pipeline=LOAD)
    events = gesture_events('user24_lab')
    for i, (_, begin, end) in enumerate(GESTURE_ROWS):
        inside = (events['t'] >= begin) & (events['t'] < end)
        sample = {name: values[inside] for name, values in events.items()}
        np.testing.assert_array_equal(dataset[i]['frames'], count(sample, 4))
    assert keys(dataset)[0] == 'test/0/user24_lab_0'
    assert keys(dataset)[-1] == 'test/0/user24_lab_1'


@pytest.mark.parametrize('name', ['CIFAR10DVS', 'DVS128Gesture'])
def test_splits_are_disjoint_complete_and_reproducible(
    name: str, cifar10_dvs: Path, gesture: Path
) -> None:
    root, number = (cifar10_dvs, 120) if name == 'CIFAR10DVS' else (gesture, 36)

    def build(split: str) -> list[str]:
        cfg = dict(type=f'mmsnn.{name}', data_root=str(root), split=split)
        return keys(DATASETS.build(cfg))

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
    assert keys(published) == keys(other)
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
            events = gesture_events(name)
            seen = [0] * 11
            for number, begin, end in GESTURE_ROWS:
                label = number - 1
                inside = (events['t'] >= begin) & (events['t'] < end)
                stem = f'{split}/{label}/{name}_{seen[label]}'
                path = tmp_path / place / f'{stem}.npz'
                write_npz(path, {axis: events[axis][inside] for axis in 'txyp'})
                seen[label] += 1
    other = DVS128Gesture(tmp_path, 'train', LOAD)
    assert sorted(keys(published)) == sorted(keys(other))
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


@pytest.mark.parametrize('class_', [CIFAR10DVS, DVS128Gesture])
@pytest.mark.parametrize(
    ('options', 'error', 'message'),
    [
        (
            {'split': 'val'},
            ValueError,
            "split must be one of train, test, but got 'val'",
        ),
        ({'data_root': 'data/no'}, ValueError, "'data/no' does not exist .looked in"),
        ({'data_root': None}, TypeError, 'data_root must be a path, but got None'),
    ],
)
def test_wrong_options(
    class_: Callable[..., Any],
    options: dict[str, Any],
    error: type[Exception],
    message: str,
    tmp_path: Path,
) -> None:
    with pytest.raises(error, match=message):
        class_(**({'data_root': tmp_path} | options))


def test_root_that_is_a_file(tmp_path: Path) -> None:
    path = tmp_path / 'airplane.zip'
    path.touch()
    with pytest.raises(UserError, match="airplane.zip' is not a folder"):
        CIFAR10DVS(path)


def test_folder_without_classes(tmp_path: Path) -> None:
    with pytest.raises(UserError, match='lacks the folders of classes airplane, auto'):
        CIFAR10DVS(tmp_path)
    (tmp_path / 'airplane').mkdir()
    (tmp_path / 'bird.zip').touch()
    message = 'of classes automobile, bird.*extract .*bird.zip'
    with pytest.raises(UserError, match=message):
        CIFAR10DVS(tmp_path)


def test_empty_class_is_named(tmp_path: Path) -> None:
    write_cifar10_dvs(tmp_path, 2)
    for path in (tmp_path / 'frog').iterdir():
        path.rename(path.with_suffix('.txt'))
    with pytest.raises(UserError, match="frog' has no files"):
        CIFAR10DVS(tmp_path)


def test_folder_without_gestures(tmp_path: Path) -> None:
    with pytest.raises(UserError, match='lacks trials_to_test.txt of DVS128 Gesture$'):
        DVS128Gesture(tmp_path, 'test')
    (tmp_path / 'DvsGesture.tar.gz').touch()
    with pytest.raises(UserError, match="extract '.*/DvsGesture.tar.gz' there"):
        DVS128Gesture(tmp_path)


@pytest.mark.parametrize(
    ('name', 'content', 'message'),
    [
        ('trials_to_train.txt', None, 'trials_to_train.txt. cannot be read'),
        (
            'user02_led.aedat',
            None,
            'user02_led.aedat. does not exist, but trials_to_tr',
        ),
        ('user02_led_labels.csv', None, 'user02_led_labels.csv. cannot be read'),
    ],
)
def test_damaged_gesture_folder(
    name: str, content: str | None, message: str, tmp_path: Path
) -> None:
    write_dvs128_gesture(tmp_path)
    if content is None:
        (tmp_path / name).unlink()
    else:
        (tmp_path / name).write_text(content)
    with pytest.raises(UserError, match=message):
        DVS128Gesture(tmp_path)


def test_converted_gestures_that_are_not_whole(tmp_path: Path) -> None:
    write_npz(tmp_path / 'train/0/user01_led_0.npz', make_events(0, 9))
    with pytest.raises(UserError, match='train/1. has no files .*right_hand_wave'):
        DVS128Gesture(tmp_path)


def test_window_without_events_is_named(tmp_path: Path) -> None:
    write_dvs128_gesture(tmp_path)
    path = tmp_path / 'user24_lab_labels.csv'
    path.write_text('class,a,b\n1,5000000,6000000\n')
    dataset = DVS128Gesture(tmp_path, 'test', LOAD)
    message = 'user24_lab.aedat. from 5000000 to 6000000 us .*no events'
    with pytest.raises(UserError, match=message):
        dataset[0]
