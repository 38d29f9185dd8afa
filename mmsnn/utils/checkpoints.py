"""Loading and checking of checkpoints.

MMEngine loads the matching keys of any file and only logs the others.
"""

from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

import torch
from mmengine.runner import CheckpointLoader

from .checkpoint_checks import check_intact, check_names, check_values
from .checkpoint_readers import always_safe
from .errors import UserError, first_line
from .paths import is_remote
from .safe_loading import UnsafeContentError, load_safely


def read_checkpoint(path: str) -> dict[str, Any] | None:
    """Load a local checkpoint's weights; see :func:`read_with_classes`."""
    return read_with_classes(path)[0]


def read_with_classes(
    path: str,
) -> tuple[dict[str, Any] | None, tuple[str, ...]]:
    """Load a local checkpoint's weights on the CPU, and the classes of its labels.

    Args:
        path: A file; for a remote path, such as ``https://...``, nothing is done.

    Returns:
        Its state dict, or None for a remote path, and the classes of the data that it
        was trained on, or none if they are unknown.

    Raises:
        UserError: If the file is missing, is not a checkpoint or is damaged, or if
            its weights are not finite.
    """
    if is_remote(path):
        return None, ()
    checkpoint = load_file(path)
    state = checkpoint
    if isinstance(checkpoint, dict):
        state = checkpoint.get('state_dict', checkpoint)
    return check_weights(state, path), trained_classes(checkpoint)


def trained_classes(checkpoint: Any) -> tuple[str, ...]:
    """Return the classes that MMEngine saves in ``meta``, or none."""
    found: Any = checkpoint
    for key in ('meta', 'dataset_meta', 'classes'):
        found = found.get(key) if isinstance(found, Mapping) else None
    if not isinstance(found, list | tuple):
        return ()
    return tuple(name for name in found if isinstance(name, str))


def read_weights(checkpoint: str) -> dict[str, Any]:
    """Load a checkpoint's state dict on the CPU.

    Args:
        checkpoint: A path, or another name that MMEngine's loader accepts, such as
            ``'https://...'`` or ``'torchvision://resnet18'``.

    Returns:
        The state dict, which is the whole file or its ``'state_dict'`` or ``'model'``.

    Raises:
        UserError: If it cannot be loaded or holds no weights.
    """
    state = load_file(checkpoint)
    for wrapper in ('state_dict', 'model'):
        if isinstance(state, dict) and isinstance(state.get(wrapper), dict):
            state = state[wrapper]
    return check_weights(state, checkpoint)


def check_weights(state: Any, path: str) -> dict[str, Any]:
    """Return ``state``, the content of a checkpoint, if it is a usable state dict.

    Raises:
        UserError: If there are none, if the file is damaged, or if a key is not a
            string, a value not finite, or a variance negative.
    """
    if not isinstance(state, dict) or not any(
        isinstance(value, torch.Tensor) for value in state.values()
    ):
        raise UserError(f'checkpoint {path!r} holds no weights')
    check_names(state, path)
    if not is_remote(path):
        check_intact(path)
    check_values(state, path)
    return state


def load_file(path: str) -> Any:
    """Load a checkpoint on the CPU, without running code from it.

    Args:
        path: A file, or another name that MMEngine's loader accepts, such as
            ``https://...`` or ``torchvision://resnet18``.

    Raises:
        UserError: If the file is missing, cannot be loaded, or holds objects other
            than tensors, arrays of numbers and plain data.
    """
    file = Path(path).expanduser()
    if not is_remote(path) and not file.is_file():
        problem = 'is not a file' if file.exists() else 'does not exist'
        raise UserError(f'checkpoint {path!r} {problem}')
    try:
        if not is_remote(path):
            return load_safely(file)
        with always_safe():
            return CheckpointLoader.load_checkpoint(path, 'cpu', logger='silent')
    except UnsafeContentError as error:
        raise UserError(f'checkpoint {error}') from error
    except Exception as error:
        # torch.load raises anything from EOFError to KeyError on invalid files.
        raise UserError(
            f'{path!r} is not a checkpoint that torch can load ({first_line(error)})'
        ) from error


def fit_weights(
    state: Mapping[str, torch.Tensor],
    names: Mapping[str, str | None],
    places: Mapping[str, torch.Size],
    required: set[str],
    what: str,
) -> dict[str, torch.Tensor]:
    """Return the tensors of ``state`` under the network's names, if all of them fit.

    Args:
        state: Tensors by the keys of a checkpoint.
        names: The name in the network of each key; None if the network has none.
        places: Shape of each weight of the network, by name.
        required: Names that ``state`` must provide.
        what: What the weights are loaded into, for the message.

    Raises:
        ValueError: If a key has no place in the network, a required name is missing, or
            shapes differ; the message names them.
    """
    weights: dict[str, torch.Tensor] = {}
    unplaced, misfits = [], []
    for key, name in names.items():
        value = state[key]
        free = name in places and name not in weights
        if name is None or not free or not isinstance(value, torch.Tensor):
            unplaced.append(key)
            continue
        weights[name] = value
        if value.shape != places[name]:
            misfits.append(
                f'{key} ({list(value.shape)}, but {name} is {list(places[name])})'
            )
    problems = [
        f'{problem} {enumerate_some(found)}'
        for problem, found in (
            ('no place for', unplaced),
            ('nothing for', sorted(required - set(weights))),
            ('other shapes:', misfits),
        )
        if found
    ]
    if problems:
        raise ValueError(f'weights do not fit {what}: {"; ".join(problems)}')
    return weights


def enumerate_some(names: Collection[str], most: int = 5) -> str:
    """Return up to ``most`` of the names, and how many more there are."""
    shown = ', '.join(list(names)[:most])
    more = len(names) - most
    return f'{shown} and {more} more' if more > 0 else shown
