"""Define the operators in the namespace ``torch.ops.mmsnn`` and register them."""

import importlib
import importlib.util
import os
import warnings
from collections.abc import Callable
from functools import cache, wraps
from typing import Any

import torch
from torch import Tensor

from .build import SWITCH
from .schemas import SCHEMAS

LIBRARY = torch.library.Library('mmsnn', 'FRAGMENT')
# outputs have the inputs' layout, so compilers must not change the inputs' strides
_STRIDES = getattr(
    torch.Tag, 'needs_exact_strides', torch.Tag.needs_fixed_stride_order
)  # needs_exact_strides exists since PyTorch 2.8
for _name, _schema in SCHEMAS.items():
    LIBRARY.define(_name + _schema, tags=(torch.Tag.pt2_compliant_tag, _STRIDES))


def register(
    name: str,
    triton_module: str,
    check: Callable[..., None],
    fake: Callable[..., Any],
    reference: Callable[..., Any],
    cpu: Callable[..., Any],
) -> None:
    """Register an operator's implementations, which take its positional arguments.

    Args:
        name: Name of the operator's schema.
        triton_module: Module of ``mmsnn.ops.triton`` with a function of the operator's
            name for GPU tensors; it is imported on the first call.
        check: Raises if an argument is invalid.
        fake: Allocates the outputs without computing them.
        reference: Implementation in PyTorch operations, for all other devices.
        cpu: Implementation for CPU tensors.
    """

    def checked(function: Callable[..., Any]) -> Callable[..., Any]:
        @wraps(function)
        def call(*args: Any) -> Any:
            check(*args)
            return function(*args)

        return call

    def cuda(*args: Any) -> Any:
        if not _triton_is_usable():
            return reference(*args)
        module = importlib.import_module(f'mmsnn.ops.triton.{triton_module}')
        return getattr(module, name)(*args)

    LIBRARY.impl(name, checked(reference), 'CompositeExplicitAutograd')
    LIBRARY.impl(name, checked(cpu), 'CPU')
    LIBRARY.impl(name, checked(cuda), 'CUDA')
    torch.library.register_fake(f'mmsnn::{name}', checked(fake), lib=LIBRARY)


def register_gradient(
    name: str, backward: Callable[..., Any], setup_context: Callable[..., None]
) -> None:
    """Register the gradient of an operator.

    It replaces ``torch.library.register_autograd`` at a third of the cost per call.

    Args:
        name: Name of the operator's schema.
        backward: Takes the context and the outputs' gradients; returns a gradient, or
            None, for each argument.
        setup_context: Takes the context, the arguments and the outputs; saves what
            ``backward`` needs.
    """
    operator = getattr(torch.ops.mmsnn, name).default

    def forward(ctx: Any, *args: Any) -> Any:
        with torch._C._AutoDispatchBelowAutograd():
            output = operator(*args)
        setup_context(ctx, args, output)
        return output

    gradient: Any = type(
        f'mmsnn_{name}',
        (torch.autograd.Function,),
        {'forward': staticmethod(forward), 'backward': staticmethod(backward)},
    )

    def autograd(*args: Any) -> Any:
        if torch.is_grad_enabled() and torch._C._any_requires_grad(*args):
            return gradient.apply(*args)
        with torch._C._AutoDispatchBelowAutograd():
            return operator(*args)

    LIBRARY.impl(name, autograd, 'Autograd')


def call_gradient(operator: Any, *args: Any) -> Any:
    """Call an operator of a gradient, past autograd unless it is differentiated."""
    if torch.is_grad_enabled():  # a second derivative
        return operator(*args)
    with torch._C._AutoDispatchBelowAutograd():
        return operator(*args)


def refuse_gradient(name: str) -> None:
    """Make an operator raise if its gradient is requested."""

    def backward(ctx: Any, *grads: Tensor | None) -> None:
        raise NotImplementedError(
            f'mmsnn::{name} has no gradient of its own: surrogate gradients cannot be '
            'differentiated twice'
        )

    register_gradient(name, backward, lambda ctx, inputs, output: None)


def refuse_onnx() -> None:
    """Raise inside PyTorch's TorchScript-based ONNX exporter.

    Raises:
        NotImplementedError: If called by the exporter, since ONNX has no operator for
            spiking neurons.
    """
    if torch.jit.is_tracing() and torch.onnx.is_in_onnx_export():
        raise NotImplementedError(
            "mmsnn's operators have no ONNX equivalent: use torch.export.export, "
            'torch.jit.trace or torch.compile instead'
        )


@cache
def _triton_is_installed() -> bool:
    if importlib.util.find_spec('triton') is not None:
        return True
    warnings.warn(
        'Triton is not installed: the slower PyTorch path is used on the GPU '
        f'({SWITCH}=0 disables this warning)',
        stacklevel=2,
    )
    return False


def _triton_is_usable() -> bool:
    return os.environ.get(SWITCH, '1') != '0' and _triton_is_installed()


__all__ = [
    'LIBRARY',
    'call_gradient',
    'refuse_gradient',
    'refuse_onnx',
    'register',
    'register_gradient',
]
