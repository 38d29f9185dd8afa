"""Spike-driven self-attention, without a softmax."""

import math
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor, nn

from mmsnn.utils import check_positive_int, describe

from .rep_conv import RepConv
from .unit import LayerFactory, Unit


class SpikeDrivenAttention(nn.Module):
    r"""Multi-head self-attention of spikes over positions.

    .. math::
        Q, K, V = S(\mathrm{conv}(S(x))), \qquad
        y = \mathrm{conv}\big(S(a\, Q (K^\top V))\big)

    (SDSA of Yao et al. 2024, *Spike-driven Transformer V2*, and Yao et al. 2025,
    *Scaling spike-driven Transformer*; the convolutions end with a norm.) There is no
    softmax, so :math:`(Q K^\top) V` is the same; computed as :math:`Q (K^\top V)`, its
    cost is linear in the number of positions, and the first operand of each product is
    spikes, which accumulate rows of the second. The products are exact up to
    :math:`2^{24}`, since they are computed in at least fp32, even under autocast.

    If spikes are integers up to D, :math:`Q K^\top V` is divided by :math:`D^3`, as if
    Q, K and V were divided by D.

    Args:
        channels: Number of channels, a multiple of ``num_heads``.
        num_heads: Number of heads.
        layers: Builds the layers.
        scale: The factor a; None is ``2 / sqrt(channels / num_heads)``.
        value_ratio: Channels of V, in multiples of ``channels``.
        rep_convs: Whether the convolutions are :class:`RepConv` instead of 1x1; this
            requires a ``value_ratio`` of 1.
        attention_neuron: Settings of the neurons after the products that differ from
            those of the other neurons.

    Shape:
        ``[T * N, C, H, W]`` to the same shape.

    Raises:
        TypeError: If an argument has the wrong type, or the neurons have no argument
            of ``attention_neuron``.
        ValueError: If ``channels`` is not a multiple of ``num_heads``, or
            ``value_ratio`` is not 1 with ``rep_convs``.
    """

    def __init__(
        self,
        channels: int,
        num_heads: int,
        layers: LayerFactory,
        scale: float | None = None,
        value_ratio: int = 1,
        rep_convs: bool = False,
        attention_neuron: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__()
        check_positive_int('num_heads', num_heads)
        if channels % num_heads:
            raise ValueError(
                f'channels must be a multiple of num_heads={num_heads}, '
                f'but got {channels}'
            )
        if rep_convs and value_ratio != 1:
            raise ValueError(
                f'value_ratio must be 1 with rep_convs, but got {value_ratio}'
            )
        self.num_heads = num_heads
        width = value_ratio * channels
        self.neuron = layers.make_neuron()
        self.query = _projection('CNS', channels, channels, layers, rep_convs)
        self.key = _projection('CNS', channels, channels, layers, rep_convs)
        self.value = _projection('CNS', channels, width, layers, rep_convs)
        own = {**layers.neuron, **(attention_neuron or {})}
        try:
            self.attention_neuron = replace(layers, neuron=own).make_neuron()
        except TypeError as error:
            raise TypeError(
                f'neuron must take {", ".join(attention_neuron or {})}, which the '
                "attention's neurons set, as IF and LIF do, but got "
                f'{describe(layers.neuron["type"])}'
            ) from error
        self.out = _projection('CN', width, channels, layers, rep_convs)
        if scale is None:
            scale = 2 / math.sqrt(channels // num_heads)
        self.scale = scale / largest_spike(self.neuron) ** 3

    def forward(self, x: Tensor) -> Tensor:
        """Return the attention's output."""
        x = self.neuron(x)
        mixed = self.mix(self.query(x), self.key(x), self.value(x))
        return self.out(self.attention_neuron(mixed))

    def mix(self, query: Tensor, key: Tensor, value: Tensor) -> Tensor:
        """Return ``scale * query (key^T value)`` of all heads.

        Args:
            query: Spikes ``[B, C, H, W]``, of any dtype.
            key: Spikes of the same shape.
            value: Spikes ``[B, C_v, H, W]``.

        Returns:
            Currents ``[B, C_v, H, W]``, in the queries' dtype if it is floating.
        """
        dtype = query.dtype if query.is_floating_point() else torch.float32
        exact = torch.promote_types(dtype, torch.float32)
        with torch.autocast(query.device.type, enabled=False):
            q, k, v = (self._heads(x.to(exact)) for x in (query, key, value))
            mixed = q.transpose(2, 3) @ (k @ v.transpose(2, 3)) * self.scale
        # [B, heads, L, C_v / heads] to [B, C_v, H, W], with channels last in memory
        features = mixed.transpose(1, 2).flatten(2).transpose(1, 2)
        return features.unflatten(2, query.shape[2:]).to(dtype)

    def _heads(self, x: Tensor) -> Tensor:
        """Return ``[B, C, H, W]`` as ``[B, heads, C / heads, H * W]``."""
        return x.flatten(2).unflatten(1, (self.num_heads, -1))

    def extra_repr(self) -> str:
        """Show the settings in ``print(model)``."""
        return f'num_heads={self.num_heads}, scale={self.scale:.4g}'


def largest_spike(neuron: nn.Module) -> float:
    """Return the largest output of neurons; 1 for those of other packages."""
    largest: float = getattr(neuron, 'max_value', 1)
    return largest * getattr(neuron, 'spike_unit', 1.0)


def _projection(
    order: str, in_channels: int, channels: int, layers: LayerFactory, rep: bool
) -> nn.Sequential:
    """Return a convolution with norm and, if ``order`` has an S, neurons."""
    unit = Unit(order, in_channels, channels, 1, 1, layers)
    if rep:
        unit.conv = RepConv(channels, layers)
    return unit


__all__ = ['SpikeDrivenAttention', 'largest_spike']
