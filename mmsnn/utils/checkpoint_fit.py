"""Checks of how many of a model's weights a checkpoint provides.

MMEngine loads the weights that fit and only logs the others.
"""

from collections.abc import Mapping
from typing import Any, NamedTuple

import torch
from mmengine.model import BaseTTAModel, is_model_wrapper

from .checkpoint_keys import strip
from .checkpoints import enumerate_some
from .errors import UserError

PRETRAINED_SHARE = 0.5
"""The minimum share of a model's weights that ``load_from`` must provide."""


class Fit(NamedTuple):
    """How many of a model's weights a checkpoint provides.

    Weights are the parameters and buffers of the state dict, except for the norms'
    ``num_batches_tracked``.
    """

    matched: int
    total: int
    misfits: tuple[str, ...] = ()
    """The model's weights that the checkpoint does not provide, with the reasons."""
    unused: tuple[str, ...] = ()
    """The checkpoint's weights that the model does not have."""


def check_fit(model: torch.nn.Module, state: Mapping[str, Any], path: str) -> Fit:
    """Compare a model's weights with a checkpoint's: names, shapes, kinds of dtype.

    Args:
        model: A model, possibly wrapped for distributed training or for test-time
            augmentation.
        state: What :func:`mmsnn.utils.checkpoints.read_checkpoint` returned.
        path: The checkpoint's name, for the message.

    Raises:
        UserError: If it provides none of the model's parameters.
    """
    inner: Any = model
    while is_model_wrapper(inner) or isinstance(inner, BaseTTAModel):
        inner = inner.module
    wanted = _weights(inner.state_dict())
    # strip DistributedDataParallel's prefix, as Runner.load_checkpoint does
    given = _weights({strip(k): v for k, v in state.items()})
    reasons = {name: _misfit(value, given.get(name)) for name, value in wanted.items()}
    if all(reasons.get(name) for name, _ in inner.named_parameters()):
        raise UserError(
            f'checkpoint {path!r} fits no parameter of the model: it has '
            f'{enumerate_some(given, 2)}, the model has {enumerate_some(wanted, 2)}'
        )
    misfits = [f'{name} ({reason})' for name, reason in reasons.items() if reason]
    unused = [name for name in given if name not in wanted]
    matched = len(wanted) - len(misfits)
    return Fit(matched, len(wanted), tuple(misfits), tuple(unused))


def _weights(state: Mapping[str, Any]) -> dict[str, Any]:
    """Return all entries but ``num_batches_tracked``, which MMEngine ignores, too."""
    return {k: v for k, v in state.items() if not k.endswith('num_batches_tracked')}


def _misfit(wanted: Any, given: Any) -> str | None:
    """Return why ``given`` cannot be loaded in place of ``wanted``; None if it can."""
    if given is None:
        return 'missing'
    if not isinstance(given, torch.Tensor) or not isinstance(wanted, torch.Tensor):
        return None if type(given) is type(wanted) else type(given).__name__
    if given.shape != wanted.shape:
        return f'{list(given.shape)} in place of {list(wanted.shape)}'
    kinds = [(t.is_floating_point(), t.is_complex()) for t in (given, wanted)]
    if kinds[0] != kinds[1]:
        return f'{given.dtype} in place of {wanted.dtype}'
    if given.layout != wanted.layout or given.is_meta:
        return 'without dense values'
    return None


def judge_fit(fit: Fit, path: str, least: float, allow_partial: bool) -> str | None:
    """Decide whether a checkpoint provides enough of a model.

    Args:
        fit: What :func:`check_fit` returned.
        path: The checkpoint's name, for the messages.
        least: The minimum share of the model's weights that it must provide, up to 1.
        allow_partial: Whether a smaller share is allowed (``--allow-partial``).

    Returns:
        A warning if the model and the checkpoint differ, else None.

    Raises:
        UserError: If the checkpoint provides less than ``least``.
    """
    if fit.misfits:
        found = (
            f"checkpoint {path!r} fits {fit.matched} of the model's {fit.total} "
            f'weights, but not {enumerate_some(fit.misfits, 3)}'
        )
        if fit.matched < least * fit.total and not allow_partial:
            share = 'all' if least == 1 else f'at least {least:.0%}'
            raise UserError(
                f'{found}; {share} must fit, unless --allow-partial is given'
            )
        return f'{found}; these keep their initial values'
    if fit.unused:
        return (
            f'checkpoint {path!r} has {len(fit.unused)} weights that are not in the '
            f'model: {enumerate_some(fit.unused, 3)}'
        )
    return None
