"""Checks of a checkpoint's content: checksums, names, finite values."""

import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from .errors import UserError, first_line


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


def check_finite(state: Mapping[str, Any], path: str) -> None:
    """Check that no tensor holds NaN or infinity.

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
            continue
        if numbers.isnan().any() or numbers[finite].any():
            raise UserError(
                f'checkpoint {path!r}: {int((~finite).sum())} of the {value.numel()} '
                f'values of {name!r} are NaN or infinite'
            )


def _has_numbers(value: torch.Tensor) -> bool:
    number = value.is_floating_point() or value.is_complex()
    return number and value.layout == torch.strided and not value.is_meta
