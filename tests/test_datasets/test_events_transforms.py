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


def test_temporal_delete_keeps_order_and_length(frames: np.ndarray) -> None:
    """Of nothing, too; there must be enough frames."""
    transform = TRANSFORMS.build(dict(type='mmsnn.RandomTemporalDelete', num_keep=12))
    assert isinstance(transform, RandomTemporalDelete)
    steps = np.arange(16, dtype=np.float32).reshape(16, 1, 1, 1)
    drawn = set()
    for _ in range(200):
        kept = run(transform, steps).ravel()
        assert kept.shape == (12,)
        assert (np.diff(kept) > 0).all()
        drawn.add(tuple(kept))
    # of 1820 choices
    assert len(drawn) > 150
    assert {step for kept in drawn for step in kept} == set(range(16))
    np.testing.assert_array_equal(run(RandomTemporalDelete(6), frames), frames)
    with pytest.raises(ValueError, match='keep 12 frames, but there are 6'):
        run(transform, frames)


def test_flip_mirrors_all_frames_alike(frames: np.ndarray) -> None:
    """As often as asked."""
    results = RandomFlipFrames(1.0)(dict(frames=frames))
    np.testing.assert_array_equal(results['frames'], frames[..., ::-1])
    # what torch.from_numpy needs
    assert results['frames'].flags.c_contiguous
    assert (results['flip'], results['flip_direction']) == (True, 'horizontal')
    never, seldom = RandomFlipFrames(0.0), RandomFlipFrames(0.25)
    assert not any(never(dict(frames=frames))['flip'] for _ in range(9))
    drawn = [seldom(dict(frames=frames)) for _ in range(400)]
    assert 70 <= sum(result['flip'] for result in drawn) <= 130
    kept = next(result for result in drawn if not result['flip'])
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
def test_resize(interpolation: str, frames: np.ndarray) -> None:
    """The density of events stays, unless they are summed."""
    results = ResizeFrames((5, 3), interpolation)(dict(frames=frames))
    assert results['frames'].shape == (6, 2, 5, 3)
    assert results['frames'].dtype == np.float32
    assert results['img_shape'] == (5, 3)
    if interpolation != 'sum':
        out = run(ResizeFrames(6, interpolation), np.full((2, 2, 16, 16), 3.0, 'f4'))
        np.testing.assert_allclose(out, 3.0, rtol=1e-6)


def test_resize_by_two(frames: np.ndarray) -> None:
    """12 x 8 to 6 x 4: blocks of 2 x 2."""
    blocks = frames.reshape(6, 2, 6, 2, 4, 2)
    nearest = run(ResizeFrames((6, 4)), frames)
    np.testing.assert_array_equal(nearest, frames[..., ::2, ::2])
    summed = run(ResizeFrames((6, 4), 'sum'), frames)
    np.testing.assert_array_equal(summed, blocks.sum(axis=(3, 5)))


def test_resize_by_sum_puts_each_pixel_where_it_falls() -> None:
    """Pixel i of 8 goes to i * 3 // 8."""
    frames = 2.0 ** np.arange(8, dtype=np.float32).reshape(1, 1, 1, 8)
    out = run(ResizeFrames((1, 3), 'sum'), frames)
    assert out.ravel().tolist() == [1 + 2 + 4, 8 + 16 + 32, 64 + 128]
    with pytest.raises(ValueError, match='only reduce the size.*8 .* would become 9'):
        run(ResizeFrames((1, 9), 'sum'), frames)


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
    'key', ['gt_bboxes', 'gt_masks', 'gt_seg_map', 'gt_keypoints', 'instances']
)
def test_annotations_that_would_not_move_are_refused(
    key: str, frames: np.ndarray
) -> None:
    """Whether or not this sample's frames would have moved; fewer frames move none."""
    given: dict[str, Any] = {'frames': frames, key: np.zeros((0, 4))}
    for transform in (RandomFlipFrames(0.0), RandomRollFrames(1), ResizeFrames(4)):
        with pytest.raises(UserError, match=f'{type(transform).__name__} .*{key}'):
            transform({**given})
        allowed = transform({'frames': frames, 'gt_label': 3, key: None})
        assert allowed['gt_label'] == 3
    assert RandomTemporalDelete(2)({**given})[key] is given[key]
