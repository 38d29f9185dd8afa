"""A convolution of spikes with int8 weights, and a max-pool of uint8 spikes."""

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.utils._python_dispatch import is_in_torch_dispatch_mode

from .inference_only import InferenceOnly

LARGEST_WEIGHT = 127
LARGEST_SUM = 128
"""Largest sum of spikes in an input. Processors without VNNI add products in pairs to
16 bits, into which two of 128 x 127 fit and two of 255 x 127 do not."""

_MAX_PACKED = 4
"""Number of input shapes for which a layer keeps packed weights."""


def is_traced() -> bool:
    """Return whether calls are being recorded, by export, compile, jit or a mode.

    In this case oneDNN's packed weights and quantized tensors can be neither recorded
    nor saved, and the layers compute the same integers in fp32.
    """
    return (
        torch.compiler.is_compiling()
        or torch.jit.is_tracing()
        or is_in_torch_dispatch_mode()
    )


class SpikingConv2d(InferenceOnly):
    r"""A convolution of spikes with int8 weights, for inference.

    .. math::
        y_o = a_o \sum_{c, i, j} W_{ocij}\, s_{cij} + b_o, \qquad
        W_o = \mathrm{round}(w_o / a_o), \quad a_o = \max |w_o| / 127

    Spikes are integers, so the sum is exact, in int32. The only difference from the
    convolution with the weights :math:`w` is their rounding, by at most half of
    :math:`a_o`, the scale of an output channel. On an x86 processor oneDNN computes the
    sum (with VNNI, four products in one instruction). Elsewhere, and while the network
    is traced or exported, the same integers are computed in fp32, which is not faster
    than an fp32 convolution.

    The state dict has ``weight`` (int8), ``scale`` and ``bias`` (fp32).

    Args:
        conv: The convolution with fp32 weights; it is not changed.

    Shape:
        uint8 spikes or sums of spikes ``[T * N, C_in, H, W]``, at most
        :data:`LARGEST_SUM`, to fp32 currents ``[T * N, C_out, H', W']``.

    Raises:
        TypeError: If the weights are not in fp32.
        ValueError: If they are not finite, the padding mode is not ``'zeros'``, or the
            padding's size is not a number.
    """

    inference_name = 'int8 weights'

    weight: Tensor
    scale: Tensor
    bias: Tensor | None

    def __init__(self, conv: nn.Conv2d) -> None:
        super().__init__()
        weight = conv.weight.detach()
        if weight.dtype != torch.float32:
            raise TypeError(f'the weights must be in fp32, but are in {weight.dtype}')
        if not weight.isfinite().all():
            raise ValueError('weights that are not finite cannot be quantised')
        if conv.padding_mode != 'zeros' or isinstance(conv.padding, str):
            raise ValueError(
                'the padding must be of zeros and its size a number, but got '
                f'{conv.padding_mode!r}, {conv.padding!r}'
            )
        self.stride, self.padding = conv.stride, conv.padding
        self.dilation, self.groups = conv.dilation, conv.groups
        largest = weight.abs().amax((1, 2, 3))
        # the scale is arbitrary if all weights are 0
        scale = torch.where(largest > 0, largest / LARGEST_WEIGHT, 1.0)
        rounded = (weight / scale[:, None, None, None]).round()
        self.register_buffer('weight', rounded.to(torch.int8))
        self.register_buffer('scale', scale)
        bias = None if conv.bias is None else conv.bias.detach().clone()
        self.register_buffer('bias', bias)
        self._forget()
        super().train(False)

    def dequantized(self) -> Tensor:
        """Return the quantised weights in fp32."""
        return self.weight * self.scale[:, None, None, None]

    def forward(self, spikes: Tensor) -> Tensor:
        """Return the currents for spikes.

        Raises:
            TypeError: If the spikes are not uint8.
        """
        if spikes.dtype != torch.uint8:
            raise TypeError(f'spikes must be in uint8, but got {spikes.dtype}')
        if is_traced() or not self._can_pack():
            sums = F.conv2d(spikes.float(), self.weight.float(), None, *self._window)
            y = sums * self.scale[:, None, None]
            return y if self.bias is None else y + self.bias[:, None, None]
        return torch.ops.onednn.qconv2d_pointwise(
            spikes,
            1.0,
            0,
            self._pack(spikes.shape),
            self.scale,
            self._zeros,
            self.bias,
            *self._window,
            1.0,
            0,
            torch.float32,
            'none',
            [],
            '',
        )

    @property
    def _window(self) -> tuple[Any, ...]:
        return self.stride, self.padding, self.dilation, self.groups

    def _pack(self, shape: torch.Size) -> Tensor:
        """Return the weights in oneDNN's layout for an input shape.

        oneDNN reorders weights in another layout on every call, which for some shapes
        takes ten times as long as the convolution.
        """
        packed = self._packed.get(shape)
        if packed is None:
            if len(self._packed) == _MAX_PACKED:
                del self._packed[next(iter(self._packed))]
            packed = torch.ops.onednn.qconv_prepack(
                self.weight, self.scale, 1.0, 0, *self._window, list(shape)
            )
            self._packed[shape] = packed
        return packed

    def _forget(self) -> None:
        """Drop the packed weights, and recreate the zero points."""
        self._packed: dict[torch.Size, Tensor] = {}
        self._zeros = torch.zeros_like(self.scale, dtype=torch.int64)

    def _can_pack(self) -> bool:
        engines = torch.backends.quantized.supported_engines
        on_cpu = self.weight.device.type == 'cpu' == self.scale.device.type
        return 'onednn' in engines and on_cpu and self.scale.dtype == torch.float32

    def _apply(self, fn: Any, recurse: bool = True) -> 'SpikingConv2d':
        super()._apply(fn, recurse)
        self._forget()
        return self

    def _load_from_state_dict(
        self, state_dict: Mapping[str, Any], prefix: str, *args: Any
    ) -> None:
        # copying other dtypes to int8 would silently truncate the weights
        weight = state_dict.get(f'{prefix}weight')
        if weight is not None and weight.dtype != torch.int8:
            raise ValueError(
                f'{prefix}weight is {weight.dtype}, not torch.int8: load these weights '
                'into the original network, and quantise that'
            )
        super()._load_from_state_dict(state_dict, prefix, *args)
        self._forget()

    def __getstate__(self) -> dict[str, Any]:
        """Exclude the packed weights, which can be neither copied nor saved."""
        return {**self.__dict__, '_packed': {}}

    def extra_repr(self) -> str:
        """Show the shape in ``print(model)``."""
        out_channels, in_channels, *kernel = self.weight.shape
        return (
            f'{in_channels * self.groups}, {out_channels}, kernel_size={kernel}, '
            f'stride={self.stride}, padding={self.padding}'
        )


class SpikePool(nn.MaxPool2d):
    """A max-pool that also takes uint8 spikes, and then returns uint8."""

    def forward(self, x: Tensor) -> Tensor:
        """Return the maximum of each window."""
        if x.dtype != torch.uint8:
            return super().forward(x)
        if is_traced() or x.device.type != 'cpu':
            return super().forward(x.float()).to(torch.uint8)
        # PyTorch's max-pool of uint8 counts positions in 8 bits; that of quantised
        # tensors does not
        pooled = super().forward(torch._make_per_tensor_quantized_tensor(x, 1.0, 0))
        return pooled.int_repr()
