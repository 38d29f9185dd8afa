"""Feature pyramids whose convolutions are fed with spikes."""

from collections.abc import Mapping, Sequence
from typing import Any

from mmdet.models.necks import FPN, PAFPN
from mmengine.model import BaseModule
from torch import Tensor, nn

from mmsnn.models.layers import IF_NEURON, check_spikes, fold_steps, spike_first
from mmsnn.models.neurons import current_steps
from mmsnn.registry import MODELS
from mmsnn.utils import check_positive_int

BATCH_NORM: Mapping[str, Any] = dict(type='BN')
XAVIER: Mapping[str, Any] = dict(type='Xavier', layer='Conv2d', distribution='uniform')


class SpikingPyramid(BaseModule):
    """Mixin for pyramids: neurons before all convolutions except the laterals.

    The laterals (and an extra level ``'on_input'``) take the backbone's spikes. Their
    currents are added top-down; every other convolution is a unit of neuron,
    convolution and norm. The outputs are currents: the layer after each of them begins
    with neurons.
    """

    num_steps: int
    unit: float

    def __init__(
        self,
        in_channels: Sequence[int],
        out_channels: int,
        num_outs: int,
        num_steps: int = 4,
        neuron: Mapping[str, Any] = IF_NEURON,
        start_level: int = 0,
        end_level: int = -1,
        add_extra_convs: bool | str = False,
        conv_cfg: Mapping[str, Any] | None = None,
        norm_cfg: Mapping[str, Any] | None = BATCH_NORM,
        init_cfg: Mapping[str, Any] | Sequence[Mapping[str, Any]] | None = XAVIER,
    ) -> None:
        super().__init__(
            list(in_channels),
            out_channels,
            num_outs,
            start_level=start_level,
            end_level=end_level,
            add_extra_convs=add_extra_convs,
            conv_cfg=conv_cfg,
            norm_cfg=norm_cfg,
            init_cfg=init_cfg,
        )
        self.num_steps = check_positive_int('num_steps', num_steps)
        self._add_neurons(neuron)

    def _add_neurons(self, neuron: Mapping[str, Any]) -> None:
        """Put neurons before the convolutions of MMDetection's pyramid."""
        levels = self.backbone_end_level - self.start_level
        on_spikes = [*self.lateral_convs]
        if self.add_extra_convs == 'on_input' and len(self.fpn_convs) > levels:
            on_spikes.append(self.fpn_convs[levels])
        for convs in self.children():
            for conv in convs if isinstance(convs, nn.ModuleList) else ():
                if not any(conv is other for other in on_spikes):
                    spike_first(conv, neuron, self.num_steps)
        self.unit = getattr(self.fpn_convs[0].activate, 'spike_unit', 1.0)

    def forward(self, inputs: Sequence[Tensor]) -> tuple[Tensor, ...]:
        """Return the levels' currents.

        Args:
            inputs: Spikes of the backbone, ``[T, N, C_i, H_i, W_i]``.

        Returns:
            Currents ``[T, N, out_channels, H_i, W_i]``.

        Raises:
            ValueError: If there is not one input per level, or an input does not have T
                time steps or is not spikes.
        """
        name = type(self).__name__
        if isinstance(inputs, Tensor) or len(inputs) != len(self.in_channels):
            given = 'a tensor' if isinstance(inputs, Tensor) else f'{len(inputs)}'
            raise ValueError(
                f'{name} was built for {len(self.in_channels)} levels, but got {given}'
            )
        folded = []
        for i, x in enumerate(inputs):
            where = f'{name}, level {i},'
            folded.append(fold_steps(where, x, self.num_steps))
            if i >= self.start_level:
                check_spikes(where, x, self.unit)
        outs = super().forward(folded)
        steps = current_steps(self.num_steps)
        return tuple(out.unflatten(0, (steps, -1)) for out in outs)


@MODELS.register_module()
class SpikingFPN(SpikingPyramid, FPN):
    """MMDetection's FPN with spikes before every convolution.

    See :class:`SpikingPyramid` for the wiring and MMDetection's ``FPN`` for the
    arguments that are not listed.

    Args:
        in_channels: Channels of each level of the backbone.
        out_channels: Channels of each output.
        num_outs: Number of outputs.
        num_steps: Number of time steps T of the backbone.
        neuron: Neuron config, see :func:`mmsnn.models.neurons.build_neuron`.
        norm_cfg: MMCV's norm config. Without norms, currents have an arbitrary scale.

    Shape:
        Spikes ``[T, N, C_i, H_i, W_i]`` to currents ``[T, N, out_channels, H_i, W_i]``.

    Raises:
        TypeError: If an argument has the wrong type.
        ValueError: If an argument is out of range.
    """


@MODELS.register_module()
class SpikingPAFPN(SpikingPyramid, PAFPN):
    """MMDetection's PAFPN with spikes before every convolution.

    The bottom-up path adds currents, as the top-down path does. See
    :class:`SpikingFPN` for the arguments.
    """


__all__ = ['SpikingFPN', 'SpikingPAFPN', 'SpikingPyramid']
