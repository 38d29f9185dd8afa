"""The last layer of a spiking head: neurons, a decoder, and one linear layer."""

from collections.abc import Mapping
from typing import Any, cast

from torch import Tensor, nn

from mmsnn.models.build import build_part
from mmsnn.models.decoders import BaseDecoder
from mmsnn.models.decoders.neck import RATE
from mmsnn.models.neurons import build_neuron, current_steps


class SpikingReadout(nn.Module):
    r"""Neurons, a decoder over time, and the last linear layer, which runs once.

    With rate decoding the result is the mean over time of the layer's outputs, its
    membrane potential: :math:`W \frac1T \sum_t s_t + b = \frac1T \sum_t (W s_t + b)`.

    Args:
        layer: The last layer, a convolution or a linear layer.
        channels: Its input channels.
        num_steps: Number of time steps T.
        neuron: Neuron config, see :func:`mmsnn.models.neurons.build_neuron`.
        decoder: Decoder config, see :class:`mmsnn.models.decoders.SpikeDecoder`.

    Shape:
        Currents ``[T * N, C, H, W]`` or ``[T * N, C]`` to the layer's output for
        ``[N, C, H, W]`` or ``[N, C]``.
    """

    def __init__(
        self,
        layer: Any,
        channels: int,
        num_steps: int,
        neuron: Mapping[str, Any],
        decoder: Mapping[str, Any] = RATE,
    ) -> None:
        super().__init__()
        self.num_steps = num_steps
        self.neuron = build_neuron(neuron, num_steps)
        given = dict(channels=channels, num_steps=num_steps)
        decode = build_part('decoder', decoder, BaseDecoder, given)
        self.decoder = cast(BaseDecoder, decode)
        self.layer = layer
        if getattr(decode, 'averages', False):
            layer.averaged_steps = num_steps

    def forward(self, x: Tensor) -> Tensor:
        """Return the output of the layer."""
        steps = current_steps(self.num_steps)
        # not -1, which is ambiguous for zero regions
        spikes = self.neuron(x).unflatten(0, (steps, x.shape[0] // steps))
        if spikes.dim() == 5:
            return self.layer(self.decoder(spikes))
        return self.layer(self.decoder(spikes[..., None, None]).flatten(1))


__all__ = ['SpikingReadout']
