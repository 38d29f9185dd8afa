"""Base of decoders, and rate decoding."""

from typing import ClassVar

import torch
from torch import Tensor, nn

from mmsnn.models.neurons.carried_state import (
    CarriedState,
    carried_state,
    count_steps,
    current_steps,
)
from mmsnn.registry import MODELS
from mmsnn.utils import check_positive_int


class BaseDecoder(nn.Module):
    """Base of decoders, which decode the spikes of one feature level.

    The features have the dtype of the decoder, or of the spikes if that is more
    precise: after a backbone in bf16, an fp32 decoder works in fp32, as do the neck and
    head after it. Under autocast the dtype of the spikes is kept.

    Args:
        channels: Number of channels C.
        num_steps: Number of time steps T.

    Shape:
        ``[T, N, C, H, W]`` to ``[N, C, H, W]``.

    Attributes:
        attention_parts: Names of the submodules that return attention weights: none, or
            ``'temporal'`` for time steps ``[T, N, 1, 1, 1]``, ``'channel'`` for
            channels ``[N, C, 1, 1]`` and ``'spatial'`` for positions ``[N, 1, H, W]``.
        averages: Whether the features are the mean over time, the spikes divided by T.

    Raises:
        TypeError: If an argument is not an integer.
        ValueError: If an argument is less than 1.
    """

    attention_parts: ClassVar[tuple[str, ...]] = ()
    averages: ClassVar[bool] = False
    own: Tensor

    def __init__(self, channels: int, num_steps: int) -> None:
        super().__init__()
        self.channels = check_positive_int('channels', channels)
        self.num_steps = check_positive_int('num_steps', num_steps)
        # records the dtype that a decoder without parameters is cast to
        self.register_buffer('own', torch.empty(0), persistent=False)

    def forward(self, spikes: Tensor) -> Tensor:
        """Check the input and decode it.

        Raises:
            ValueError: If the number of steps or of channels is not what the decoder
                was built for.
        """
        name = type(self).__name__
        if spikes.dim() != 5:
            raise ValueError(
                f'{name} expects spikes of shape [T, N, C, H, W], '
                f'but got {list(spikes.shape)}'
            )
        num_steps = current_steps(self.num_steps)
        if spikes.shape[0] != num_steps:
            raise ValueError(
                f'{name} was built for num_steps={num_steps}, but its input has '
                f'{spikes.shape[0]} time steps'
            )
        if spikes.shape[2] != self.channels:
            raise ValueError(
                f'{name} was built for {self.channels} channels, but its input has '
                f'{spikes.shape[2]}'
            )
        device = spikes.device.type
        # is_autocast_enabled raises for devices without autocast, such as meta;
        # compilers cannot trace is_autocast_available
        known = torch.compiler.is_compiling() or torch.amp.is_autocast_available(device)
        if not (known and torch.is_autocast_enabled(device)):
            spikes = spikes.to(torch.promote_types(spikes.dtype, self.own.dtype))
        carried = carried_state()
        if carried is not None:
            return self._continue(spikes, carried)
        return self.decode(spikes)

    def decode(self, spikes: Tensor) -> Tensor:
        """Decode spikes whose shape has been checked."""
        raise NotImplementedError(f'{type(self).__name__} defines no decode')

    def decode_from(
        self, spikes: Tensor, memory: Tensor | None, seen: Tensor
    ) -> tuple[Tensor, Tensor]:
        """Decode the time steps of a stream up to now, see :mod:`mmsnn.streaming`.

        Args:
            spikes: The next time steps, ``[steps, N, C, H, W]``.
            memory: What the previous call returned, ``[N, ...]``; None at the start. It
                is 0 for items whose stream begins.
            seen: Number of time steps of each item before these, ``[N]``.

        Returns:
            The features ``[N, C, H, W]``, and the memory for the next call.

        Raises:
            ValueError: If the decoder cannot stream.
        """
        raise ValueError(
            f'{type(self).__name__} cannot stream: it defines no decode_from'
        )

    def _continue(self, spikes: Tensor, carried: CarriedState) -> Tensor:
        key = carried.key(self)
        seen = count_steps(carried, key, spikes.shape[1], spikes.device)
        memory = carried.take(key, 'memory', self.memory_shape(spikes.shape[1:]))
        if memory is not None:
            memory = memory.to(spikes.device, spikes.dtype)
        features, memory = self.decode_from(spikes, memory, seen.to(spikes.device))
        carried.put(key, 'memory', memory)
        return features

    def memory_shape(self, step: torch.Size) -> torch.Size:
        """Return the shape of the memory for time steps ``[N, C, H, W]``."""
        return step


@MODELS.register_module()
class Rate(BaseDecoder):
    """Rate decoding: the mean over time. See :class:`BaseDecoder`."""

    averages = True

    def decode(self, spikes: Tensor) -> Tensor:
        """Return the firing rates."""
        return spikes.mean(0)

    def decode_from(
        self, spikes: Tensor, memory: Tensor | None, seen: Tensor
    ) -> tuple[Tensor, Tensor]:
        r"""Return the running rates.

        .. math::
            r_t = r_{t-1} + (s_t - r_{t-1}) / \min(t, T)

        For the first T steps, this is the mean of the steps seen (at T what
        :meth:`decode` returns, up to rounding), then an exponential mean with a time
        constant of T steps.
        """
        rate = torch.zeros_like(spikes[0]) if memory is None else memory
        for i, step in enumerate(spikes, start=1):
            weight = (seen + i).clamp(max=self.num_steps).to(spikes.dtype)
            rate = rate + (step - rate) / weight[:, None, None, None]
        return rate, rate
