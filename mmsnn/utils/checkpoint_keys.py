"""Names of a checkpoint's weights, with and without the prefixes of wrappers."""

from collections import OrderedDict
from collections.abc import Mapping
from typing import Any

PREFIX = 'module.'
"""The prefix that ``DistributedDataParallel`` and averaged models add to each name."""

_EMA = 'ema_state_dict'


def unify_keys(checkpoint: dict[str, Any]) -> None:
    """Convert a checkpoint to the format of MMEngine's Runner, in place.

    A bare state dict becomes the ``'state_dict'`` of a checkpoint. The prefix of
    ``DistributedDataParallel`` is removed from the names of its weights, and from those
    of ``'ema_state_dict'``, which keep the averaged model's own prefix.
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
    # only needed for resuming, which checks it
    if isinstance(averaged, Mapping) and all(isinstance(k, str) for k in averaged):
        checkpoint[_EMA] = OrderedDict(
            (PREFIX + strip(strip(name)) if name.startswith(PREFIX) else name, value)
            for name, value in averaged.items()
        )


def strip(name: str) -> str:
    """Return ``name`` without the prefix."""
    return name.removeprefix(PREFIX)


def _copy_versions(source: Any, target: Any) -> None:
    """Copy the module versions that torch attaches to a state dict."""
    target._metadata = getattr(source, '_metadata', OrderedDict())
