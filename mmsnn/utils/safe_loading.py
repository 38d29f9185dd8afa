"""Loading of checkpoints and predictions without running code from the file.

A pickle names functions and classes, which unpickling calls. ``torch.load`` with
``weights_only=True`` accepts only names on an allowlist: torch's own, for tensors and
containers, and those that were added in the process. MMEngine adds ``getattr``, which
gives a file access to ``builtins``; ``HistoryBuffer``, on whose instances a file can
replace ``__setstate__``; and NumPy's ``dtype``, whose state can declare raw bytes to be
Python objects. Here each name that torch does not know is mapped to a class or function
of this module that accepts plain data only.
"""

import pickle
import re
import threading
from argparse import Namespace
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import torch
from mmengine.logging import HistoryBuffer
from torch.serialization import (
    add_safe_globals,
    clear_safe_globals,
    get_safe_globals,
)

# the statistics of each HistoryBuffer
_STATISTICS = ('min', 'max', 'current', 'mean')
_lock = threading.RLock()


class UnsafeContentError(ValueError):
    """A file holds objects other than tensors, arrays of numbers and plain data."""


class _RefusedError(Exception):
    """Raised by the stand-ins below; its message names what the file holds."""


def load_safely(file: str | Path | BinaryIO, map_location: Any = 'cpu') -> Any:
    """Load a file of ``torch.save``: tensors, arrays of numbers and plain data.

    Neither the environment nor the process-wide allowlist of ``torch.serialization``
    changes what is accepted.

    Args:
        file: A path, or an open file.
        map_location: As in :func:`torch.load`.

    Raises:
        UnsafeContentError: If the file holds anything else.
        Exception: Of any type, if the file is damaged or has another format.
    """
    with _only(_STAND_INS), _explained(file):
        return torch.load(file, map_location=map_location, weights_only=True)


def load_predictions(path: str | Path) -> Any:
    """Load a file of ``tools/test.py --out``: a pickle of tensors and plain data.

    Raises:
        UnsafeContentError: If the file holds anything else.
        Exception: Of any type, if the file is damaged or has another format.
    """
    from torch import _weights_only_unpickler

    # in a plain pickle, a tensor is stored as the bytes that torch.save writes for it
    nested = (_load_bytes, 'torch.storage._load_from_bytes')
    with open(path, 'rb') as file, _only((*_STAND_INS, nested)), _explained(path):
        header = file.read(2)
        if header[:1] == pickle.PROTO and header[1:] > b'\x03':
            raise ValueError(
                f'it is pickled with protocol {header[1]}, but protocol 2 is read'
            )
        file.seek(0)
        return _weights_only_unpickler.load(file)


@contextmanager
def _only(allowed: Sequence[Any]) -> Iterator[None]:
    """Replace the names that torch accepts in addition to its own, process-wide."""
    with _lock:
        before = get_safe_globals()
        try:
            clear_safe_globals()
            add_safe_globals(list(allowed))
            yield
        finally:
            clear_safe_globals()
            add_safe_globals(before)


@contextmanager
def _explained(file: Any) -> Iterator[None]:
    """Turn torch's long message about a name that it refuses into one line."""
    try:
        yield
    except (_RefusedError, pickle.UnpicklingError) as error:
        name = str(error)
        if isinstance(error, pickle.UnpicklingError):
            found = re.search(
                r'GLOBAL (\S+)|unrecognized function (.+)|allowlisted.* but got (.+)',
                name,
            )
            if found is None:
                raise
            name = next(filter(None, found.groups()))
        what = repr(str(file)) if isinstance(file, str | Path) else 'a file'
        raise UnsafeContentError(
            f'{what} holds {name}, but only tensors, arrays of numbers and plain data '
            'are loaded (docs/security.md says more)'
        ) from None


class _Dtype:
    """Replaces ``numpy.dtype``: numbers, booleans and strings of a fixed length."""

    __slots__ = ('value',)

    def __init__(self, code: str, align: bool = False, copy: bool = False) -> None:
        if not isinstance(code, str) or not re.fullmatch(r'[biufcSU][1-9]\d*', code):
            raise _RefusedError(f'an array of dtype {code!r}')
        self.value = np.dtype(code)

    def __setstate__(self, state: tuple[Any, ...]) -> None:
        _, order, subarray, names, fields = state[:5]
        if (subarray, names, fields) != (None, None, None):
            raise _RefusedError('an array with fields')
        self.value = self.value.newbyteorder(order)


class _Array(np.ndarray):
    """Replaces ``numpy.ndarray``; it is pickled as a plain array."""

    __slots__ = ()

    def __new__(cls) -> '_Array':
        return super().__new__(cls, 0)

    def __setstate__(self, state: tuple[Any, ...]) -> None:
        _, shape, dtype, fortran, data = state
        values = _decode(dtype, data).reshape(shape)
        content = (1, values.shape, values.dtype, bool(fortran), data)
        super().__setstate__(content)  # type: ignore[arg-type]

    def __reduce_ex__(self, protocol: Any) -> Any:
        return np.asarray(self).__reduce_ex__(protocol)


class _History(HistoryBuffer):
    """Replaces MMEngine's ``HistoryBuffer`` until its state is set."""

    def __init__(self) -> None:
        """Accept no arguments: NumPy reads memory at addresses that objects declare."""

    def __setstate__(self, state: Mapping[str, Any]) -> None:
        values, counts = state['_log_history'], state['_count_history']
        if type(values) is not _Array or type(counts) is not _Array:
            raise _RefusedError('a HistoryBuffer of other things than arrays')
        length = int(state['max_length'])
        super().__init__(np.array(values), np.array(counts), length)
        # HistoryBuffer is not on the allowlist, so that no second state can be set
        self.__class__ = HistoryBuffer


class _Options:
    """Replaces ``argparse.Namespace``: a training script's options are dropped."""

    __slots__ = ()

    def __setstate__(self, state: Any) -> None:
        """Ignore the state."""

    def __reduce__(self) -> Any:
        return Namespace, ()


def _decode(dtype: Any, data: Any) -> np.ndarray:
    """Return the numbers that ``data`` holds."""
    if type(dtype) is not _Dtype or type(data) is not bytes:
        raise _RefusedError('an array of other things than numbers')
    return np.frombuffer(data, dtype.value)


def _make_bytes() -> bytes:
    """Replace ``bytes``: only empty ones are pickled under this name."""
    return b''


def _make_dict(content: Any) -> dict[Any, Any]:
    """Replace MMEngine's ``ConfigDict``, which the metadata of a config contain."""
    if type(content) is not dict:
        raise _RefusedError('a ConfigDict of something else than a dict')
    return content


def _make_array(kind: Any, shape: Any, code: Any) -> _Array:
    """Replace NumPy's ``_reconstruct``; the state that follows holds the content."""
    return _Array()


def _make_scalar(dtype: Any, data: Any) -> Any:
    """Replace NumPy's ``scalar``."""
    return _decode(dtype, data)[0]


def _name_statistic(owner: Any, name: Any) -> str:
    """Replace ``getattr``, with which a ``HistoryBuffer`` refers to its statistics.

    The class provides the statistics itself, so that the names are not used.
    """
    if owner is not _History or name not in _STATISTICS:
        raise _RefusedError(f'the attribute {name!r} of {owner!r}')
    return str(name)


def _load_bytes(data: Any) -> Any:
    """Replace the function that loads a tensor's storage from bytes."""
    return load_safely(BytesIO(data))


_STAND_INS = (
    (_Dtype, 'numpy.dtype'),
    (_Array, 'numpy.ndarray'),
    # the module's names before and since NumPy 2
    (_make_array, 'numpy.core.multiarray._reconstruct'),
    (_make_array, 'numpy._core.multiarray._reconstruct'),
    (_make_scalar, 'numpy.core.multiarray.scalar'),
    (_make_scalar, 'numpy._core.multiarray.scalar'),
    (_make_bytes, 'builtins.bytes'),
    (_make_dict, 'mmengine.config.config.ConfigDict'),
    (_History, 'mmengine.logging.history_buffer.HistoryBuffer'),
    (_name_statistic, 'builtins.getattr'),
    (slice, 'builtins.slice'),
    (_Options, 'argparse.Namespace'),
)
