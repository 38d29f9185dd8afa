"""MMDetection's dense heads with spikes before every convolution."""

from collections.abc import Mapping
from typing import Any, ClassVar

from mmcv.cnn import ConvModule
from mmdet.models.dense_heads import (
    ATSSHead,
    FCOSHead,
    GFLHead,
    RetinaHead,
    RPNHead,
)
from torch import Tensor, nn

from mmsnn.models.decoders.neck import RATE
from mmsnn.models.layers import IF_NEURON, fold_steps, spike_first
from mmsnn.registry import MODELS
from mmsnn.utils import check_positive_int

from .readout import SpikingReadout


class SpikingDenseHead(nn.Module):
    """Mixin for dense heads: spiking towers, and decoders before the last layers.

    Every convolution of a tower is a unit of neuron, convolution and norm. Each last
    convolution follows neurons and a decoder, see :class:`SpikingReadout`. Losses,
    assigners and post-processing are MMDetection's.

    Args:
        *args: Arguments of MMDetection's head.
        num_steps: Number of time steps T of the neck.
        neuron: Neuron config, see :func:`mmsnn.models.neurons.build_neuron`.
        decoder: Decoder config of the last layers, see
            :class:`mmsnn.models.decoders.SpikeDecoder`.
        **options: Further arguments of MMDetection's head. Give a ``norm_cfg``: without
            norms, currents have an arbitrary scale.

    Shape:
        Currents ``[T, N, C, H_i, W_i]`` to MMDetection's outputs for ``[N, C, H_i,
        W_i]``.

    Raises:
        TypeError: If an argument has the wrong type.
        ValueError: If an argument is out of range, or an input does not have T steps.
    """

    towers: ClassVar[tuple[str, ...]] = ('cls_convs', 'reg_convs')
    """Names of the lists of convolutions."""
    last_layers: ClassVar[tuple[str, ...]] = ()
    """Names of the last layers."""

    def __init__(
        self,
        *args: Any,
        num_steps: int = 4,
        neuron: Mapping[str, Any] = IF_NEURON,
        decoder: Mapping[str, Any] = RATE,
        **options: Any,
    ) -> None:
        # MMDetection's heads build their layers in __init__
        self.num_steps = check_positive_int('num_steps', num_steps)
        self._neuron, self._decoder = neuron, decoder
        super().__init__(*args, **options)

    def _init_layers(self) -> None:
        """Build MMDetection's layers, and add neurons and decoders."""
        super()._init_layers()  # type: ignore[misc]
        for name in self.towers:
            for conv in getattr(self, name):
                spike_first(conv, self._neuron, self.num_steps)
        for name in self.last_layers:
            layer = getattr(self, name)
            readout = SpikingReadout(
                layer, layer.in_channels, self.num_steps, self._neuron, self._decoder
            )
            setattr(self, name, readout)

    def forward_single(self, x: Tensor, *args: Any) -> Any:
        """Return MMDetection's outputs for one level."""
        folded = fold_steps(type(self).__name__, x, self.num_steps)
        return super().forward_single(folded, *args)  # type: ignore[misc]


@MODELS.register_module()
class SpikingRetinaHead(SpikingDenseHead, RetinaHead):
    """RetinaNet's head; see :class:`SpikingDenseHead`."""

    last_layers = ('retina_cls', 'retina_reg')


@MODELS.register_module()
class SpikingFCOSHead(SpikingDenseHead, FCOSHead):
    """FCOS's head; see :class:`SpikingDenseHead`."""

    last_layers = ('conv_cls', 'conv_reg', 'conv_centerness')


@MODELS.register_module()
class SpikingATSSHead(SpikingDenseHead, ATSSHead):
    """ATSS's head; see :class:`SpikingDenseHead`."""

    last_layers = ('atss_cls', 'atss_reg', 'atss_centerness')


@MODELS.register_module()
class SpikingGFLHead(SpikingDenseHead, GFLHead):
    """GFL's head; see :class:`SpikingDenseHead`."""

    last_layers = ('gfl_cls', 'gfl_reg')


@MODELS.register_module()
class SpikingRPNHead(SpikingDenseHead, RPNHead):
    """Region proposal network; see :class:`SpikingDenseHead`.

    Args:
        *args: Arguments of MMDetection's ``RPNHead``.
        norm_cfg: MMCV's norm config.
        **options: Further arguments of ``RPNHead`` and :class:`SpikingDenseHead`.
    """

    towers = ()
    num_convs: int
    rpn_cls: SpikingReadout
    rpn_reg: SpikingReadout
    last_layers = ('rpn_cls', 'rpn_reg')

    def __init__(
        self, *args: Any, norm_cfg: Mapping[str, Any] | None = None, **options: Any
    ) -> None:
        self._norm_cfg = norm_cfg
        super().__init__(*args, **options)

    def _init_layers(self) -> None:
        """Build the layers with norms, which MMDetection's head does not have."""
        super()._init_layers()
        self.rpn_conv = nn.Sequential()
        for i in range(self.num_convs):
            channels = self.feat_channels if i else self.in_channels
            conv = ConvModule(
                channels, self.feat_channels, 3, padding=1, norm_cfg=self._norm_cfg
            )
            spike_first(conv, self._neuron, self.num_steps)
            self.rpn_conv.append(conv)

    def forward_single(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Return scores and boxes of one level, without a ReLU before the neurons."""
        x = self.rpn_conv(fold_steps(type(self).__name__, x, self.num_steps))
        return self.rpn_cls(x), self.rpn_reg(x)


__all__ = [
    'SpikingATSSHead',
    'SpikingDenseHead',
    'SpikingFCOSHead',
    'SpikingGFLHead',
    'SpikingRPNHead',
    'SpikingRetinaHead',
]
