"""ReLU in place of spiking neurons, for networks without spikes."""

from torch import nn

from mmsnn.registry import MODELS
from mmsnn.utils import check_positive_int


@MODELS.register_module()
class ReLU(nn.ReLU):
    """ReLU in place of spiking neurons: the same network without spikes (an ANN).

    In a backbone's config: ``num_steps=1, neuron=dict(type='mmsnn.ReLU')``. With the
    residual family ``'Spiking'`` it is an ordinary ResNet.

    Args:
        num_steps: Number of time steps; 1, since a ReLU has no state.

    Raises:
        TypeError: If ``num_steps`` is not an integer.
        ValueError: If ``num_steps`` is not 1.
    """

    def __init__(self, num_steps: int) -> None:
        super().__init__()
        if check_positive_int('num_steps', num_steps) != 1:
            raise ValueError(
                f'ReLU has no time steps: num_steps must be 1, but got {num_steps}'
            )


__all__ = ['ReLU']
