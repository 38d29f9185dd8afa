"""Convolution, norm and neuron in any order, the unit of all residual families."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import cache, partial
from typing import Any

from torch import nn

from mmsnn._compat import require
from mmsnn.models.neurons import BaseNeuron, build_neuron
from mmsnn.models.neurons.base import SpikeValues
from mmsnn.utils import check_positive_int, describe

from .recompute import RecomputableSequential


@cache
def _mmcv_layers() -> Any:
    """Import MMCV's layers lazily; configs of PyTorch's layers do not use them."""
    require('mmcv')
    import mmcv.cnn

    return mmcv.cnn


@dataclass(frozen=True)
class LayerFactory:
    """Builds a network's layers; passed from the backbone to its blocks.

    Args:
        num_steps: Number of time steps T, which the neurons unfold.
        neuron: Neuron config, see :func:`mmsnn.models.neurons.build_neuron`.
        norm_cfg: MMCV's norm config, such as ``dict(type='BN')``.
        conv_cfg: MMCV's convolution config; None is ``nn.Conv2d``.
        norm_scale: Initial value of the norms' weights.

    Raises:
        TypeError: If a config is not a dict.
        ValueError: If ``num_steps`` is less than 1.
    """

    num_steps: int
    neuron: Mapping[str, Any]
    norm_cfg: Mapping[str, Any]
    conv_cfg: Mapping[str, Any] | None = None
    norm_scale: float = 1.0

    def __post_init__(self) -> None:
        """Check the settings before anything is built."""
        check_positive_int('num_steps', self.num_steps)
        if not isinstance(self.norm_cfg, Mapping) or 'type' not in self.norm_cfg:
            raise TypeError(
                'norm_cfg must be a dict with a type, but got '
                f'{describe(self.norm_cfg)}'
            )

    def make_conv(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: int,
        stride: int,
        bias: bool = False,
        groups: int = 1,
    ) -> nn.Module:
        """Return a convolution that keeps the size at stride 1."""
        build: Callable[..., nn.Module] = nn.Conv2d
        if self.conv_cfg is not None:
            build = partial(_mmcv_layers().build_conv_layer, self.conv_cfg)
        with _named('conv_cfg', self.conv_cfg):
            return build(
                in_channels,
                out_channels,
                kernel_size,
                stride=stride,
                padding=kernel_size // 2,
                bias=bias,
                groups=groups,
            )

    def make_norm(self, channels: int) -> nn.Module:
        """Return a norm over ``channels``, whose weight starts at ``norm_scale``."""
        with _named('norm_cfg', self.norm_cfg):
            norm = self._build_norm(channels)
        if self.norm_scale != 1:
            nn.init.constant_(_affine(norm, 'weight'), self.norm_scale)
        return norm

    def _build_norm(self, channels: int) -> nn.Module:
        options = dict(self.norm_cfg)
        if options['type'] != 'BN':
            return _mmcv_layers().build_norm_layer(options, channels)[1]
        del options['type']
        learns = options.pop('requires_grad', True)
        return nn.BatchNorm2d(channels, **options).requires_grad_(learns)

    def make_neuron(self) -> nn.Module:
        """Return a layer of neurons over ``num_steps``."""
        return build_neuron(self.neuron, self.num_steps)

    @property
    def spike_values(self) -> SpikeValues:
        """Kind of the neurons' spikes; neurons of other packages count as binary."""
        return getattr(self.make_neuron(), 'spike_values', 'binary')

    def scaled(self, factor: float) -> 'LayerFactory':
        """Return a factory that multiplies the initial weights of norms by a factor."""
        return replace(self, norm_scale=self.norm_scale * factor)

    def scaled_to_threshold(self) -> 'LayerFactory':
        r"""Return a factory of threshold-dependent norms (tdBN).

        With a norm of weight :math:`V_{th}`, the currents of the neurons after it are
        :math:`N(0, V_{th}^2)` (Zheng et al. 2021, Eqs. 7 and 8). Time is folded into
        the batch, so that the statistics are over all time steps, as in tdBN.

        Raises:
            TypeError: If the neurons are not known to have a threshold.
        """
        neuron = self.make_neuron()
        if not isinstance(neuron, BaseNeuron):
            raise TypeError(
                'threshold-dependent norms need neurons derived from BaseNeuron, but '
                f'got {type(neuron).__name__}'
            )
        return self.scaled(neuron.dynamics.v_threshold)


def _affine(norm: nn.Module, name: str) -> nn.Parameter:
    """Return a norm's weight or bias, or raise if it has none."""
    parameter = getattr(norm, name, None)
    if not isinstance(parameter, nn.Parameter):
        raise ValueError(
            'this initialisation needs norms that have a weight and a bias, '
            f'but got {norm}'
        )
    return parameter


def check_order(order: str) -> str:
    """Check and return ``order``, the letters of a unit's layers.

    Raises:
        TypeError: If it is not a string.
        ValueError: If it has a letter other than C, N and S, or one of them twice.
    """
    if not isinstance(order, str):
        raise TypeError(f'order must be a string, but got {describe(order)}')
    if len(set(order)) != len(order) or not set(order) <= set('CNS'):
        raise ValueError(
            f'order must spell C, N and S at most once each, but got {order!r}'
        )
    return order


class Unit(RecomputableSequential):
    """A convolution with its norm and its neuron, in the given order.

    Args:
        order: Letters C (convolution), N (norm), S (spiking neuron), each at most once:
            ``'CNS'``, ``'CN'``, ``'SCN'``, ... It may have no convolution (``'NS'``).
        in_channels: Channels of the input.
        out_channels: Channels of the output.
        kernel_size: Kernel size of the convolution.
        stride: Stride of the convolution.
        layers: Builds the layers.
        bias: Whether the convolution has a bias.
        groups: Groups of the convolution; ``in_channels`` if it is depthwise.

    Shape:
        ``[T * N, C_in, H, W]`` to ``[T * N, C_out, H', W']``.

    Raises:
        ValueError: If ``order`` has another letter, or one of them twice.
    """

    def __init__(
        self,
        order: str,
        in_channels: int,
        out_channels: int,
        kernel_size: int,
        stride: int,
        layers: LayerFactory,
        bias: bool = False,
        groups: int = 1,
    ) -> None:
        super().__init__()
        self.order = check_order(order)
        channels = in_channels
        for letter in order:
            if letter == 'C':
                self.conv = layers.make_conv(
                    in_channels, out_channels, kernel_size, stride, bias, groups
                )
                channels = out_channels
            elif letter == 'N':
                self.norm = layers.make_norm(channels)
            else:
                self.neuron = layers.make_neuron()

    def init_constant(self, current: float) -> None:
        """Make the output, or the current of its neurons, a constant for any input.

        The norm after the convolution gets weight 0 and ``current`` as bias. Without a
        norm, the convolution's weight is zeroed, and only 0 is possible.

        Args:
            current: The constant.

        Raises:
            ValueError: If the unit has no such parameters.
        """
        _, convolution, rest = self.order.partition('C')
        if 'N' in rest:
            norm = self.get_submodule('norm')
            weight, bias = _affine(norm, 'weight'), _affine(norm, 'bias')
            nn.init.zeros_(weight)
            nn.init.constant_(bias, current)
        elif convolution and not current:
            nn.init.zeros_(self.get_parameter('conv.weight'))
        else:
            raise ValueError(
                f'a unit of order {self.order!r} cannot start with the constant '
                f'{current}'
            )


@contextmanager
def _named(name: str, cfg: Mapping[str, Any] | None) -> Iterator[None]:
    """Replace MMCV's error about an unregistered type by one that names the setting."""
    try:
        yield
    except KeyError as error:
        raise ValueError(
            f'{name} must have the type of a registered layer, but got {cfg}'
        ) from error
