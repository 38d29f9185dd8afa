"""The names of a checkpoint's weights, with and without what wraps them."""

from collections import OrderedDict
from collections.abc import Mapping
from typing import Any

PREFIX = 'module.'
"""What ``DistributedDataParallel`` and averaged models put before each name."""

_EMA = 'ema_state_dict'


def unify_keys(checkpoint: dict[str, Any]) -> None:
    """Bring a checkpoint to the form in which MMEngine's Runner saves it, in place.

    A bare state dict becomes the ``'state_dict'`` of a checkpoint. The prefix of
    ``DistributedDataParallel`` is removed from the names of its weights, and from those
    of ``'ema_state_dict'``, where the averaged model's own prefix remains.
    """
    if 'state_dict' not in checkpoint:
        weights = OrderedDict(checkpoint)
        _copy_versions(checkpoint, weights)
        checkpoint.clear()
        checkpoint['state_dict'] = weights
    state = checkpoint['state_dict']
    unified = OrderedDict((strip(name), value) for name, value in state.items())
    _copy_versions(state, unified)
    checkpoint['state_dict'] = unified
    averaged = checkpoint.get(_EMA)
    # of use for resuming alone, and checked there
    if isinstance(averaged, Mapping) and all(isinstance(k, str) for k in averaged):
        checkpoint[_EMA] = OrderedDict(
            (PREFIX + strip(strip(name)) if name.startswith(PREFIX) else name, value)
            for name, value in averaged.items()
        )


def strip(name: str) -> str:
    """Return ``name`` without the prefix."""
    return name.removeprefix(PREFIX)


def _copy_versions(source: Any, target: Any) -> None:
    """Copy the versions of modules that torch attaches to a state dict."""
    target._metadata = getattr(source, '_metadata', OrderedDict())
