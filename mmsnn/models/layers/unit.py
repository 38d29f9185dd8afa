"""Convolution, norm and neuron in any order: what all residual families are made of."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from mmcv.cnn import build_conv_layer, build_norm_layer
from torch import nn

from mmsnn.models.neurons import build_neuron
from mmsnn.utils import check_positive_int, describe


@dataclass(frozen=True)
class LayerFactory:
    """How a network builds its layers; handed down from backbone to blocks.

    Args:
        num_steps: Number of time steps T, which the neurons unfold.
        neuron: Neuron config, see :func:`mmsnn.models.neurons.build_neuron`.
        norm_cfg: MMCV's norm config, such as ``dict(type='BN')``.
        conv_cfg: MMCV's convolution config; None is ``nn.Conv2d``.

    Raises:
        TypeError: If a config is not a dict.
        ValueError: If ``num_steps`` is less than 1.
    """

    num_steps: int
    neuron: Mapping[str, Any]
    norm_cfg: Mapping[str, Any]
    conv_cfg: Mapping[str, Any] | None = None

    def __post_init__(self) -> None:
        """Check the settings before anything is built."""
        check_positive_int('num_steps', self.num_steps)
        if not isinstance(self.norm_cfg, Mapping) or 'type' not in self.norm_cfg:
            raise TypeError(
                'norm_cfg must be a dict with a type, but got '
                f'{describe(self.norm_cfg)}'
            )

    def make_conv(
        self, in_channels: int, out_channels: int, kernel_size: int, stride: int
    ) -> nn.Module:
        """Return a convolution without bias that keeps the size at stride 1."""
        return build_conv_layer(
            self.conv_cfg,
            in_channels,
            out_channels,
            kernel_size,
            stride=stride,
            padding=kernel_size // 2,
            bias=False,
        )

    def make_norm(self, channels: int) -> nn.Module:
        """Return a norm over ``channels``."""
        return build_norm_layer(dict(self.norm_cfg), channels)[1]

    def make_neuron(self) -> nn.Module:
        """Return a layer of neurons over ``num_steps``."""
        return build_neuron(self.neuron, self.num_steps)


class Unit(nn.Sequential):
    """One convolution with its norm and its neuron, in the order that is asked for.

    Args:
        order: Letters C (convolution), N (norm), S (spiking neuron), each at most once:
            ``'CNS'``, ``'CN'``, ``'SCN'``, ... It may have no convolution (``'NS'``).
        in_channels: Channels of the input.
        out_channels: Channels of the output.
        kernel_size: Of the convolution.
        stride: Of the convolution.
        layers: Builds the layers.

    Shape:
        ``[T * N, C_in, H, W]`` to ``[T * N, C_out, H', W']``.

    Raises:
        ValueError: If ``order`` has another letter or one twice.
    """

    def __init__(
        self,
        order: str,
        in_channels: int,
        out_channels: int,
        kernel_size: int,
        stride: int,
        layers: LayerFactory,
    ) -> None:
        super().__init__()
        if len(set(order)) != len(order) or not set(order) <= set('CNS'):
            raise ValueError(
                f'order must spell C, N and S at most once each, but got {order!r}'
            )
        channels = in_channels
        for letter in order:
            if letter == 'C':
                self.conv = layers.make_conv(
                    in_channels, out_channels, kernel_size, stride
                )
                channels = out_channels
            elif letter == 'N':
                self.norm = layers.make_norm(channels)
            else:
                self.neuron = layers.make_neuron()
