"""Checks of a checkpoint's content: names, checksums, possible values."""

import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch.optim import Optimizer

from .errors import UserError, first_line

# state of SGD, RMSprop and variants of Adam that has the shape of the parameter
_MOMENTS = (
    'momentum_buffer',
    'square_avg',
    'grad_avg',
    'exp_avg',
    'exp_avg_sq',
    'max_exp_avg_sq',
)


def check_intact(path: str) -> None:
    """Check a file saved by torch against the checksums in it.

    ``torch.save`` writes a checksum (CRC-32) of each tensor, which ``torch.load``
    ignores. Files in older formats have none and pass.

    Args:
        path: A local file.

    Raises:
        UserError: If its bytes do not match the checksums.
    """
    file = Path(path).expanduser()
    if not zipfile.is_zipfile(file):
        return
    try:
        with zipfile.ZipFile(file) as archive:
            # all are zero if torch was told not to compute them
            checked = any(record.CRC for record in archive.infolist())
            damaged = archive.testzip() if checked else None
    except Exception as error:
        # On damaged headers, zipfile raises exceptions of any type.
        damaged = first_line(error)
    if damaged is not None:
        raise UserError(
            f'checkpoint {path!r} is damaged: its bytes do not match the checksum of '
            f'{damaged!r}'
        )


def check_names(state: Mapping[Any, Any], path: str) -> None:
    """Check that the keys of a state dict are strings.

    Raises:
        UserError: If a key is not a string.
    """
    for key in state:
        if not isinstance(key, str):
            raise UserError(
                f'checkpoint {path!r}: the keys of its weights must be strings, but '
                f'one is {key!r} ({type(key).__name__})'
            )


def check_values(state: Mapping[str, Any], path: str) -> None:
    """Check that no tensor holds NaN or infinity, and no norm a negative variance.

    Masks (tensors that hold only zeros and infinities) are accepted.

    Raises:
        UserError: If one does; the message names the first.
    """
    for name, value in state.items():
        if not isinstance(value, torch.Tensor) or not _has_numbers(value):
            continue
        # isfinite does not support float8.
        numbers = value.float() if value.itemsize == 1 else value
        finite = torch.isfinite(numbers)
        if finite.all():
            _check_variance(name, numbers, path)
            continue
        if numbers.isnan().any() or numbers[finite].any():
            raise UserError(
                f'checkpoint {path!r}: {int((~finite).sum())} of the {value.numel()} '
                f'values of {name!r} are NaN or infinite'
            )


def check_optimizer(optimizer: Optimizer, path: str) -> None:
    """Check the state that an optimizer has loaded; torch does not check it.

    Raises:
        UserError: If a moment has another shape than its parameter, or a value of the
            state is NaN or infinite.
    """
    for group in optimizer.param_groups:
        for parameter in group['params']:
            for name, value in optimizer.state.get(parameter, {}).items():
                if not isinstance(value, torch.Tensor):
                    continue
                if name in _MOMENTS and value.shape != parameter.shape:
                    problem = f'has shape {list(value.shape)}'
                elif not value.isfinite().all():
                    problem = 'has values that are NaN or infinite'
                else:
                    continue
                raise UserError(
                    f'cannot resume from {path!r}: {name} of its optimizer, for a '
                    f'parameter of shape {list(parameter.shape)}, {problem}'
                )


def _check_variance(name: str, value: torch.Tensor, path: str) -> None:
    variance = name.rpartition('.')[2] == 'running_var' and not value.is_complex()
    # its square root would be NaN
    if variance and (value < 0).any():
        raise UserError(
            f'checkpoint {path!r}: {name!r} must not be negative, but its least value '
            f'is {float(value.min()):.3g}'
        )


def _has_numbers(value: torch.Tensor) -> bool:
    number = value.is_floating_point() or value.is_complex()
    return number and value.layout == torch.strided and not value.is_meta
