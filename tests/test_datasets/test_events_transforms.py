"""Transforms of event frames."""

from typing import Any

import numpy as np
import pytest
from mmengine.registry import TRANSFORMS

import mmsnn  # noqa: F401
from mmsnn.datasets.transforms import (
    LoadEventFrames,
    RandomFlipFrames,
    RandomRollFrames,
    RandomTemporalDelete,
    ResizeFrames,
)
from mmsnn.utils.errors import UserError


@pytest.fixture
def frames() -> np.ndarray:
    rng = np.random.default_rng(0)
    return rng.integers(5, size=(6, 2, 12, 8)).astype(np.float32)


def run(transform: Any, frames: np.ndarray) -> np.ndarray:
    return transform(dict(frames=frames.copy()))['frames']


def test_types_are_found_from_the_root_registry() -> None:
    transform = TRANSFORMS.build(dict(type='mmsnn.RandomTemporalDelete', num_keep=4))
    assert isinstance(transform, RandomTemporalDelete)


def test_temporal_delete_keeps_order_and_length() -> None:
    frames = np.arange(16, dtype=np.float32).reshape(16, 1, 1, 1)
    drawn = set()
    for _ in range(200):
        kept = run(RandomTemporalDelete(12), frames).ravel()
        assert kept.shape == (12,)
        assert (np.diff(kept) > 0).all()
        drawn.add(tuple(kept))
    # of 1820 choices
    assert len(drawn) > 150
    assert {step for kept in drawn for step in kept} == set(range(16))


def test_temporal_delete_of_nothing(frames: np.ndarray) -> None:
    np.testing.assert_array_equal(run(RandomTemporalDelete(6), frames), frames)


def test_temporal_delete_needs_enough_frames(frames: np.ndarray) -> None:
    with pytest.raises(ValueError, match='keep 12 frames, but there are 6'):
        run(RandomTemporalDelete(12), frames)


def test_flip_mirrors_all_frames_alike(frames: np.ndarray) -> None:
    results = RandomFlipFrames(1.0)(dict(frames=frames))
    np.testing.assert_array_equal(results['frames'], frames[..., ::-1])
    # what torch.from_numpy needs
    assert results['frames'].flags.c_contiguous
    assert (results['flip'], results['flip_direction']) == (True, 'horizontal')


def test_flip_is_as_frequent_as_asked(frames: np.ndarray) -> None:
    results = [RandomFlipFrames(0.25)(dict(frames=frames)) for _ in range(400)]
    assert 70 <= sum(result['flip'] for result in results) <= 130
    assert not any(
        result['flip'] for result in [RandomFlipFrames(0.0)(dict(frames=frames))] * 9
    )
    kept = next(result for result in results if not result['flip'])
    np.testing.assert_array_equal(kept['frames'], frames)


def test_roll_shifts_all_frames_alike(frames: np.ndarray) -> None:
    """Of all shifts of up to 2 pixels, and of no others, each occurs."""
    shifts = [(y, x) for y in range(-2, 3) for x in range(-2, 3)]
    rolled = {shift: np.roll(frames, shift, axis=(2, 3)) for shift in shifts}
    seen = set()
    for _ in range(300):
        out = run(RandomRollFrames(2), frames)
        (shift,) = (s for s in shifts if np.array_equal(out, rolled[s]))
        seen.add(shift)
    assert seen == set(shifts)


@pytest.mark.parametrize(
    'transform', [RandomFlipFrames(1.0), RandomRollFrames(5), ResizeFrames(4, 'sum')]
)
def test_sums_of_frames_and_polarities_stay(transform: Any, frames: np.ndarray) -> None:
    for _ in range(5):
        out = run(transform, frames)
        np.testing.assert_array_equal(out.sum(axis=(2, 3)), frames.sum(axis=(2, 3)))


@pytest.mark.parametrize('interpolation', ['nearest', 'bilinear', 'sum'])
def test_resize_gives_size_and_type(interpolation: str, frames: np.ndarray) -> None:
    results = ResizeFrames((5, 3), interpolation)(dict(frames=frames))
    assert results['frames'].shape == (6, 2, 5, 3)
    assert results['frames'].dtype == np.float32
    assert results['img_shape'] == (5, 3)


def test_resize_by_two(frames: np.ndarray) -> None:
    """12 x 8 to 6 x 4: blocks of 2 x 2."""
    blocks = frames.reshape(6, 2, 6, 2, 4, 2)
    nearest = run(ResizeFrames((6, 4)), frames)
    np.testing.assert_array_equal(nearest, frames[..., ::2, ::2])
    summed = run(ResizeFrames((6, 4), 'sum'), frames)
    np.testing.assert_array_equal(summed, blocks.sum(axis=(3, 5)))


def test_resize_keeps_the_density_of_events() -> None:
    frames = np.full((2, 2, 16, 16), 3.0, np.float32)
    for interpolation in ('nearest', 'bilinear'):
        out = run(ResizeFrames(6, interpolation), frames)
        np.testing.assert_allclose(out, 3.0, rtol=1e-6)


def test_resize_by_sum_puts_each_pixel_where_it_falls() -> None:
    """Pixel i of 8 goes to i * 3 // 8."""
    frames = 2.0 ** np.arange(8, dtype=np.float32).reshape(1, 1, 1, 8)
    out = run(ResizeFrames((1, 3), 'sum'), frames)
    assert out.ravel().tolist() == [1 + 2 + 4, 8 + 16 + 32, 64 + 128]
    with pytest.raises(ValueError, match='only makes frames smaller.*8 pixels 9'):
        run(ResizeFrames((1, 9), 'sum'), frames)


@pytest.mark.parametrize(
    ('class_', 'options', 'error', 'message'),
    [
        (
            LoadEventFrames,
            dict(num_steps=0),
            ValueError,
            'num_steps must be at least 1',
        ),
        (
            LoadEventFrames,
            dict(num_steps='4'),
            TypeError,
            'num_steps must be an integer',
        ),
        (
            LoadEventFrames,
            dict(num_steps=4, cache_dir=3),
            TypeError,
            'cache_dir must be',
        ),
        (
            LoadEventFrames,
            dict(num_steps=4, use_cache=1),
            TypeError,
            'use_cache must be',
        ),
        (
            RandomTemporalDelete,
            dict(num_keep=0),
            ValueError,
            'num_keep must be at least',
        ),
        (RandomFlipFrames, dict(prob=1.5), ValueError, 'prob must be from 0 to 1'),
        (RandomFlipFrames, dict(prob=None), TypeError, 'prob must be a number'),
        (RandomRollFrames, dict(max_shift=0), ValueError, 'max_shift must be at least'),
        (ResizeFrames, dict(size=(4, 4, 4)), ValueError, 'one number or height and'),
        (ResizeFrames, dict(size=(4, 0)), ValueError, 'size must be at least 1'),
        (ResizeFrames, dict(size=4.5), TypeError, 'size must be an integer'),
        (
            ResizeFrames,
            dict(size=4, interpolation='cubic'),
            ValueError,
            'one of nearest, bilinear, sum',
        ),
    ],
)
def test_mistakes(class_: Any, options: dict, error: type, message: str) -> None:
    with pytest.raises(error, match=message):
        class_(**options)


@pytest.mark.parametrize(
    ('transform', 'text'),
    [
        (LoadEventFrames(4), 'num_steps=4, cache_dir=None, use_cache=True'),
        (RandomTemporalDelete(3), 'num_keep=3'),
        (RandomFlipFrames(), 'prob=0.5'),
        (RandomRollFrames(), 'max_shift=5'),
        (ResizeFrames(48), "size=(48, 48), interpolation='nearest'"),
    ],
)
def test_logs_show_the_options(transform: Any, text: str) -> None:
    assert repr(transform) == f'{type(transform).__name__}({text})'


@pytest.mark.parametrize(
    'transform', [RandomFlipFrames(0.0), RandomRollFrames(1), ResizeFrames(4)]
)
@pytest.mark.parametrize(
    'key', ['gt_bboxes', 'gt_masks', 'gt_seg_map', 'gt_keypoints', 'instances']
)
def test_annotations_that_would_not_move_are_refused(
    transform: Any, key: str, frames: np.ndarray
) -> None:
    """Whether or not this sample's frames would have moved."""
    results: dict[str, Any] = {'frames': frames, key: np.zeros((0, 4))}
    with pytest.raises(UserError, match=f'{type(transform).__name__} .*{key}'):
        transform(results)
    assert transform({'frames': frames, 'gt_label': 3, key: None})['gt_label'] == 3


def test_deleting_frames_moves_no_annotations(frames: np.ndarray) -> None:
    boxes = np.zeros((1, 4))
    results = RandomTemporalDelete(2)(dict(frames=frames, gt_bboxes=boxes))
    assert results['gt_bboxes'] is boxes
