"""Checks of the values of events, for all file formats."""

from collections.abc import Mapping
from typing import Any

import numpy as np

Events = Mapping[str, np.ndarray]
"""Events in temporal order: ``t`` (microseconds), ``x``, ``y``, ``p`` (0 or 1)."""

SENSOR_SIZE = (128, 128)
"""Height and width in pixels of the DVS128, which recorded both data sets."""

# Floating-point integers are exact up to here; in microseconds it is 285 years.
_LATEST = 2**53
# Camera buffers reorder events by milliseconds; larger steps back mean another clock.
_MAX_STEP_BACK = 1_000_000


def check_events(
    events: Mapping[str, Any], sensor_size: tuple[int, int] = SENSOR_SIZE
) -> Events:
    """Return events as integers in temporal order, with polarities 0 and 1.

    Unambiguous values are converted: integral floating-point numbers to integers, and
    booleans and the polarities -1 and 1 to 0 and 1. Events that are up to a second out
    of order are sorted; events with equal times keep their order.

    Args:
        events: Arrays ``t``, ``x``, ``y`` and ``p`` of equal length.
        sensor_size: Height and width of the sensor in pixels.

    Raises:
        ValueError: If an array is missing or has another shape or type, if there are no
            events, or if a value is not an integer or out of range. The message calls
            the source of the events "it".
    """
    missing = sorted(set('txyp') - set(events))
    if missing:
        raise ValueError(f'it lacks {", ".join(missing)}')
    arrays = {name: np.asarray(events[name]) for name in 'txyp'}
    shapes = {name: values.shape for name, values in arrays.items()}
    if len(set(shapes.values())) != 1 or arrays['t'].ndim != 1:
        raise ValueError(f'its arrays must have one length, but have shapes {shapes}')
    if not len(arrays['t']):
        raise ValueError('it has no events')
    height, width = sensor_size
    checked = {
        't': _check_range('t (microseconds)', arrays['t'], 0, _LATEST),
        'x': _check_range('x (column of the sensor)', arrays['x'], 0, width - 1),
        'y': _check_range('y (row of the sensor)', arrays['y'], 0, height - 1),
        'p': _check_polarity(arrays['p']),
    }
    return _sort(checked)


def _check_range(name: str, values: np.ndarray, low: int, high: int) -> np.ndarray:
    """Return ``values`` as integers; raise if one is not in [low, high]."""
    kind = values.dtype.kind
    if kind not in 'iuf':
        raise ValueError(f'{name} must be whole numbers, but has dtype {values.dtype}')
    # negated, so that NaN is out of range
    bad = ~((values >= low) & (values <= high))
    if kind == 'f':
        bad |= np.floor(values) != values
    if bad.any():
        event = int(bad.argmax())
        raise ValueError(
            f'{name} must be a whole number from {low} to {high}, but is '
            f'{values[event]} at event {event}'
        )
    return values if kind != 'f' else values.astype(np.int64)


def _check_polarity(values: np.ndarray) -> np.ndarray:
    """Return polarities as 0 and 1."""
    if values.dtype.kind == 'b':
        return values.astype(np.int64)
    values = _check_range('p (polarity)', values, -1, 1)
    if not (values < 0).any():
        return values
    if (values == 0).any():
        raise ValueError('p (polarity) must be 0 and 1, or -1 and 1, but is -1 and 0')
    return (values > 0).astype(np.int64)


def _sort(events: dict[str, np.ndarray]) -> Events:
    """Return events in temporal order."""
    t = events['t']
    if not (t[1:] < t[:-1]).any():
        return events
    steps = np.maximum.accumulate(t) - t
    event = int(steps.argmax())
    if steps[event] > _MAX_STEP_BACK:
        raise ValueError(
            f't runs back by {steps[event]} us at event {event}, so the order of the '
            'events is unknown: the clock was reset or overflowed, or recordings were '
            'joined'
        )
    order = np.argsort(t, kind='stable')
    return {name: values[order] for name, values in events.items()}
