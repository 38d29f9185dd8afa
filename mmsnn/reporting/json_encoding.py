"""Conversion of results to JSON."""

import dataclasses
import enum
import math
from collections.abc import Mapping, Sequence
from numbers import Integral, Real
from pathlib import Path
from typing import Any

import numpy as np
import torch


def to_plain(value: Any) -> Any:
    """Convert a value to JSON types.

    Dataclasses and mappings become dicts; tuples, sets, arrays and tensors become
    lists; paths become strings and enums their values. JSON has no NaN and no
    infinities: they become None, ``'inf'`` and ``'-inf'``.

    Raises:
        TypeError: If a value cannot be converted.
    """
    if value is None or isinstance(value, str | bool):
        return value
    if isinstance(value, np.bool_ | enum.Enum | torch.Tensor | np.ndarray | Path):
        return _from_object(value)
    if isinstance(value, Integral):
        return int(value)
    if isinstance(value, Real):
        return _from_real(float(value))
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {
            field.name: to_plain(getattr(value, field.name))
            for field in dataclasses.fields(value)
        }
    if isinstance(value, Mapping):
        return {str(key): to_plain(item) for key, item in value.items()}
    if isinstance(value, set | frozenset):
        return [to_plain(item) for item in sorted(value)]
    if isinstance(value, Sequence):
        return [to_plain(item) for item in value]
    raise TypeError(f'{type(value).__name__} cannot be converted to JSON: {value!r}')


def _from_real(number: float) -> float | str | None:
    if math.isfinite(number):
        return number
    return None if math.isnan(number) else str(number)


def _from_object(value: Any) -> Any:
    if isinstance(value, np.bool_):
        return bool(value)
    if isinstance(value, enum.Enum):
        return to_plain(value.value)
    return str(value) if isinstance(value, Path) else to_plain(value.tolist())


__all__ = ['to_plain']
