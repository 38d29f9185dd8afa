"""A wrong argument or folder: one error with what was given and what is allowed."""

# ruff: noqa: E501 - a row is a line

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from mmsnn import datasets
from mmsnn.datasets import guarded_pipeline, make_digits_detection, transforms
from mmsnn.datasets.events import prepare_event_frames
from mmsnn.utils.errors import UserError

from .event_files import make_events, write_cifar10_dvs, write_dvs128_gesture, write_npz

# A call, its error, and what that says; what lies between is at the dots. `root` is an
# empty folder, `files(...)` the same with these in it.
MISTAKES = """
DigitsClassification('val') | ValueError: split must be one of train, test, but got 'val'
DigitsClassification('TEST') | ValueError: split must be one of train, test ... 'TEST'
DigitsClassification(None) | ValueError: split must be one of train, test ... None
DigitsClassification(['train']) | ValueError: split must be one of train, test ... ['train']
ImageNetSubset(0, 0, root, 'train') | ValueError: num_classes must be at least 1, but got 0
ImageNetSubset(9, 0, root, 'train', metainfo={'classes': [*'abcdefgh']}) | ValueError: num_classes ... at most 8, ... but got 9
ImageNetSubset(2.0, 0, root, 'train') | TypeError: num_classes must be an integer ... 2.0
ImageNetSubset(3, -1, root, 'train') | ValueError: seed must be 0 to 2**32 - 1, but got -1
ImageNetSubset(3, 2**32, root, 'train') | ValueError: seed must be 0 to ... but got 4294967296
ImageNetSubset(3, None, root, 'train') | TypeError: seed must be an integer, but got None
ImageNetSubset(3, True, root, 'train') | TypeError: seed must be an integer, but got True
ImageNetSubset(3, 0, root, 'test') | ValueError: split must be one of train, val ... 'test'
ImageNetSubset(3, 0, root, '') | ValueError: split must be one of train, val, but got ''
LoadEventFrames(0) | ValueError: num_steps must be at least 1
LoadEventFrames('4') | TypeError: num_steps must be an integer
LoadEventFrames(4, cache_dir=3) | TypeError: cache_dir must be
LoadEventFrames(4, use_cache=1) | TypeError: use_cache must be
RandomTemporalDelete(0) | ValueError: num_keep must be at least
RandomFlipFrames(1.5) | ValueError: prob must be from 0 to 1
RandomFlipFrames(None) | TypeError: prob must be a number
RandomRollFrames(0) | ValueError: max_shift must be at least
ResizeFrames((4, 4, 4)) | ValueError: one number or height and
ResizeFrames((4, 0)) | ValueError: size must be at least 1
ResizeFrames(4.5) | TypeError: size must be an integer
ResizeFrames(4, 'cubic') | ValueError: one of nearest, bilinear, sum
BrokenImages('broken.txt', 0) | ValueError: allowed must be at least 1
BrokenImages('broken.txt', -1) | ValueError: allowed must be at least 1
CIFAR10DVS(root, 'val') | ValueError: split must be one of train, test, but got 'val'
CIFAR10DVS('data/no') | UserError: 'data/no' does not exist (looked in
CIFAR10DVS(None) | TypeError: data_root must be a path, but got None
DVS128Gesture(root, 'val') | ValueError: split must be one of train, test, but got 'val'
DVS128Gesture('data/no') | UserError: 'data/no' does not exist (looked in
DVS128Gesture(None) | TypeError: data_root must be a path, but got None
CIFAR10DVS(files('airplane.zip') / 'airplane.zip') | UserError: airplane.zip' is not a folder
CIFAR10DVS(root) | UserError: lacks the folders of classes airplane, auto
CIFAR10DVS(files('airplane/a', 'bird.zip')) | UserError: of classes automobile, bird ... extract ' ... bird.zip
CIFAR10DVS(no_frogs()) | UserError: frog' has no files
DVS128Gesture(root, 'test') | UserError: lacks trials_to_test.txt of DVS128 Gesture
DVS128Gesture(files('DvsGesture.tar.gz')) | UserError: extract ' ... /DvsGesture.tar.gz' there
DVS128Gesture(gesture_without('trials_to_train.txt')) | UserError: trials_to_train.txt' cannot be read
DVS128Gesture(gesture_without('user02_led.aedat')) | UserError: user02_led.aedat' does not exist, but trials_to_tr
DVS128Gesture(gesture_without('user02_led_labels.csv')) | UserError: user02_led_labels.csv' cannot be read
DVS128Gesture(one_gesture()) | UserError: train/1' has no files ... right_hand_wave
"""
PREPARING = """
dataset='n_mnist' | ValueError: one of cifar10_dvs, dvs128_gesture
num_steps=0 | ValueError: num_steps must be at least 1, but got 0
num_steps=4.0 | TypeError: num_steps must be an integer
workers=0 | ValueError: workers must be at least 1
data_root='nowhere' | UserError: data_root 'nowhere' does not exist
data_root=None | TypeError: data_root must be a path
"""
MAKING = """
num_train=0 | ValueError: num_train must be from 1 to 100000, but got 0
num_val=-1 | ValueError: num_val must be from 1 to 100000, but got -1
image_size=64 | ValueError: image_size must be from 112 to 1024 ... 64
image_size=2000 | ValueError: from 112 to 1024, but got 2000
seed=-1 | ValueError: seed must be from 0 to 4294967295, but got -1
max_objects=0 | ValueError: max_objects must be from 1 to 20, but got 0
seed=1.0 | TypeError: seed must be an integer, but got 1.0 (float)
num_val=True | TypeError: num_val must be an integer, but got True
out_dir=3 | TypeError: out_dir must be a path, but got 3 (int)
out_dir='' | ValueError: out_dir must name a folder, but it is empty
"""
ERRORS = dict(ValueError=ValueError, TypeError=TypeError, UserError=UserError)


@pytest.fixture
def names(tmp_path: Path) -> dict[str, Any]:
    root = tmp_path / 'root'

    def files(*paths: str) -> Path:
        for path in paths:
            (root / path).parent.mkdir(parents=True, exist_ok=True)
            (root / path).touch()
        return root

    def no_frogs() -> Path:
        write_cifar10_dvs(root, 2)
        for path in (root / 'frog').iterdir():
            path.rename(path.with_suffix('.txt'))
        return root

    def gesture_without(name: str) -> Path:
        write_dvs128_gesture(root)
        (root / name).unlink()
        return root

    def one_gesture() -> Path:
        write_npz(root / 'train/0/user01_led_0.npz', make_events(0, 9))
        return root

    root.mkdir()
    known = vars(datasets) | vars(transforms) | vars(guarded_pipeline)
    known |= dict(ImageNetSubset=datasets.ImageNetSubset)
    return known | locals()


def check(call: Callable[[], Any], expected: str) -> None:
    kind, _, says = expected.partition(': ')
    with pytest.raises(ERRORS[kind]) as caught:
        call()
    message = str(caught.value)
    assert not [part for part in says.split(' ... ') if part not in message], message


@pytest.mark.parametrize('row', MISTAKES.strip().splitlines())
def test_mistake(row: str, names: dict[str, Any]) -> None:
    call, expected = row.split(' | ')
    check(lambda: eval(call, names), expected)


@pytest.mark.parametrize('row', PREPARING.strip().splitlines())
def test_preparing_frames(row: str, cifar10_dvs: Path) -> None:
    given, expected = row.split(' | ')
    options = dict(dataset='cifar10_dvs', data_root=cifar10_dvs, num_steps=4)
    options |= eval(f'dict({given})')
    check(lambda: prepare_event_frames(**options), expected)


@pytest.mark.parametrize('row', MAKING.strip().splitlines())
def test_making_digits(row: str, tmp_path: Path) -> None:
    """Nothing is made."""
    given, expected = row.split(' | ')
    options = dict(out_dir=tmp_path / 'set', num_train=12, num_val=6)
    options |= eval(f'dict({given})')
    check(lambda: make_digits_detection(**options), expected)
    assert not (tmp_path / 'set').exists()
