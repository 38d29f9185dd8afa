"""Finding tensors that are not finite, and the module that produced one."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn


def non_finite_names(named: Iterable[tuple[str, Tensor]]) -> list[str]:
    """Return the names of the tensors that hold NaN or infinity, in order.

    The sum of each tensor is computed first: it is not finite if any value is not. Each
    tensor is read once, and the device is synchronised once for all of them. Single
    values are checked only if a sum is not finite, which large values can cause, too.
    """
    tensors = [
        (name, x.detach())
        for name, x in named
        if x.is_floating_point() or x.is_complex()
    ]
    if not tensors:
        return []
    device = tensors[0][1].device
    finite = torch.stack([_sum(x).isfinite().to(device) for _, x in tensors]).tolist()
    return [
        name
        for (name, x), ok in zip(tensors, finite, strict=True)
        if not (ok or x.isfinite().all())
    ]


def _sum(x: Tensor) -> Tensor:
    """Return the sum of all values, for half precision in fp32 to avoid overflow."""
    return x.sum(dtype=torch.float32) if x.dtype.itemsize == 2 else x.sum()


def learned_state(model: nn.Module) -> Iterator[tuple[str, Tensor]]:
    """Yield a model's parameters and the statistics of its norms, by name.

    Other buffers may legitimately hold infinities, such as masks and observers.
    """
    yield from model.named_parameters()
    for name, buffer in model.named_buffers():
        if is_statistic(name):
            yield name, buffer


def is_statistic(name: str) -> bool:
    """Return whether a buffer of this name is a running statistic of a norm."""
    return name.rpartition('.')[2] in ('running_mean', 'running_var')


def first_non_finite_module(model: nn.Module, call: Callable[[], Any]) -> str | None:
    """Run a model and find the first module whose output is not finite.

    Args:
        model: The model.
        call: Runs the model.

    Returns:
        Name and type of the innermost such module, and whether its input was finite;
        None if all outputs are finite.
    """
    found: list[str] = []

    def watch(name: str, module: nn.Module, args: Any, kwargs: Any, out: Any) -> None:
        if found or not non_finite_names(tensors_in(out)):
            return
        fed = non_finite_names(tensors_in((args, kwargs)))
        found.append(
            f'{name or "the model"} ({type(module).__name__}) is the first module '
            'whose output is not finite; its input is '
            + ('not finite either' if fed else 'finite')
        )

    handles = [
        module.register_forward_hook(partial(watch, name), with_kwargs=True)
        for name, module in model.named_modules()
    ]
    try:
        call()
    finally:
        for handle in handles:
            handle.remove()
    return found[0] if found else None


def tensors_in(value: Any) -> Iterator[tuple[str, Tensor]]:
    """Yield the tensors in nested lists, tuples and dicts, each with an empty name."""
    if isinstance(value, Tensor):
        yield '', value
    elif isinstance(value, Mapping):
        for item in value.values():
            yield from tensors_in(item)
    elif isinstance(value, list | tuple):
        for item in value:
            yield from tensors_in(item)


__all__ = [
    'first_non_finite_module',
    'is_statistic',
    'learned_state',
    'non_finite_names',
    'tensors_in',
]
