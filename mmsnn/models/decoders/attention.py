"""The attention spike decoder of Zhang et al. 2023, Section 3.4."""

from collections.abc import Mapping
from typing import ClassVar

import torch
from torch import Tensor, nn

from mmsnn.registry import MODELS
from mmsnn.utils import check_positive_int

from .rate import BaseDecoder


def _squeeze_excite(channels: int, reduction: int, name: str) -> nn.Sequential:
    """Return two 1x1 convolutions: squeeze by ``reduction``, and restore."""
    check_positive_int(name, reduction)
    if reduction > channels:
        raise ValueError(
            f'{name} must be at most {channels}, the size it reduces, '
            f'but got {reduction}'
        )
    hidden = channels // reduction
    squeeze = nn.Conv2d(channels, hidden, 1, bias=False)
    # non-negative, so that hidden units can be active initially, see ASD
    with torch.no_grad():
        squeeze.weight.abs_()
    return nn.Sequential(
        squeeze,
        nn.ReLU(inplace=True),
        nn.Conv2d(hidden, channels, 1, bias=False),
    )


class TemporalAttention(nn.Module):
    r"""Attention weights of time steps (Fig. 4A).

    :math:`\sigma(\mathrm{MLP}(\mathrm{avg}_{C,H,W} X))`

    Args:
        num_steps: Number of time steps T.
        reduction: T is squeezed to ``T // reduction``.

    Shape:
        ``[T, N, C, H, W]`` to weights ``[T, N, 1, 1, 1]``.
    """

    step_dims: ClassVar[Mapping[str, int]] = {'mlp.0.weight': 1, 'mlp.2.weight': 0}

    def __init__(self, num_steps: int, reduction: int) -> None:
        super().__init__()
        self.mlp = _squeeze_excite(num_steps, reduction, 'temporal_reduction')

    def forward(self, x: Tensor) -> Tensor:
        """Return the weights of the time steps."""
        salience = x.mean((2, 3, 4)).t()[:, :, None, None]
        return self.mlp(salience).sigmoid().transpose(0, 1).unsqueeze(-1)


class ChannelAttention(nn.Module):
    r"""Attention weights of channels (Fig. 4B; Woo et al. 2018).

    :math:`\sigma(\mathrm{MLP}(\mathrm{avg}_{H,W} X) + \mathrm{MLP}(\max_{H,W} X))`

    Args:
        channels: Number of channels C.
        reduction: C is squeezed to ``C // reduction``.

    Shape:
        ``[N, C, H, W]`` to weights ``[N, C, 1, 1]``.
    """

    def __init__(self, channels: int, reduction: int) -> None:
        super().__init__()
        self.mlp = _squeeze_excite(channels, reduction, 'channel_reduction')

    def forward(self, x: Tensor) -> Tensor:
        """Return the weights of the channels."""
        average = x.mean((2, 3), keepdim=True)
        maximum = x.amax((2, 3), keepdim=True)
        return (self.mlp(average) + self.mlp(maximum)).sigmoid()


class SpatialAttention(nn.Module):
    r"""Attention weights of positions (Fig. 4C).

    :math:`\sigma(\mathrm{conv}([\mathrm{avg}_C X, \max_C X]))`

    Args:
        kernel_size: Kernel size of the convolution; odd.

    Shape:
        ``[N, C, H, W]`` to weights ``[N, 1, H, W]``.
    """

    def __init__(self, kernel_size: int) -> None:
        super().__init__()
        check_positive_int('kernel_size', kernel_size)
        if kernel_size % 2 == 0:
            raise ValueError(f'kernel_size must be odd, but got {kernel_size}')
        self.conv = nn.Conv2d(2, 1, kernel_size, padding=kernel_size // 2, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        """Return the weights of the positions."""
        pooled = torch.cat([x.mean(1, keepdim=True), x.amax(1, keepdim=True)], 1)
        return self.conv(pooled).sigmoid()


@MODELS.register_module()
class ASD(BaseDecoder):
    r"""Attention spike decoder (Zhang et al. 2023, Section 3.4 and Fig. 4).

    .. math::
        X_T = \mathrm{avg}_T(TA(X)\,X),\quad X_{TC} = CA(X_T)\,X_T,\quad
        X_{ASD} = SA(X_{TC})\,X_{TC} + \mathrm{avg}_T(X)

    Temporal, channel and spatial attention in sequence, with the firing rate as a skip
    connection. The 1x1 convolutions have no bias and a ReLU between them, as in the
    channel attention that the paper builds on (Woo et al. 2018).

    The weights that squeeze T and C start non-negative, which the paper does not state.
    Their inputs are firing rates, which are never negative: with weights of both signs
    all of the few hidden units can be inactive for every input and receive no gradient.

    Args:
        channels: Number of channels C.
        num_steps: Number of time steps T; part of the parameters' shape.
        temporal_reduction: Reduction of the temporal attention, which the paper does
            not state.
        channel_reduction: Reduction of the channel attention; 16 gives the paper's
            0.033 M parameters at C = 512.
        kernel_size: Kernel size of the spatial attention.

    Raises:
        TypeError: If an argument is not an integer.
        ValueError: If an argument is out of range.
    """

    attention_parts = ('temporal', 'channel', 'spatial')

    def __init__(
        self,
        channels: int,
        num_steps: int,
        temporal_reduction: int = 1,
        channel_reduction: int = 16,
        kernel_size: int = 7,
    ) -> None:
        super().__init__(channels, num_steps)
        self.temporal = TemporalAttention(num_steps, temporal_reduction)
        self.channel = ChannelAttention(channels, channel_reduction)
        self.spatial = SpatialAttention(kernel_size)

    def decode(self, spikes: Tensor) -> Tensor:
        """Return the features, weighted by the attention."""
        rate = spikes.mean(0)
        x = (spikes * self.temporal(spikes)).mean(0)
        x = x * self.channel(x)
        return torch.addcmul(rate, x, self.spatial(x))

    def decode_from(
        self, spikes: Tensor, memory: Tensor | None, seen: Tensor
    ) -> tuple[Tensor, Tensor]:
        """Decode the window of the last T time steps.

        Until T steps have been seen, the missing steps at the end of the window are
        filled with the mean of those seen, as if the neurons went on firing at that
        rate; the temporal attention weights each step at its position.
        """
        window = (
            spikes if memory is None else torch.cat([memory.transpose(0, 1), spikes])
        )
        missing = self.num_steps - len(window)
        if missing > 0:
            window = torch.cat([window.new_zeros(missing, *window.shape[1:]), window])
        window = window[-self.num_steps :]
        known = (seen + len(spikes)).clamp(max=self.num_steps)
        return self.decode(self._completed(window, known)), window.transpose(0, 1)

    def _completed(self, window: Tensor, known: Tensor) -> Tensor:
        """Return the window with each item's ``known`` last steps at its beginning."""
        if not torch.compiler.is_compiling() and (known == self.num_steps).all():
            return window
        steps = torch.arange(self.num_steps, device=window.device)[:, None]
        places = (self.num_steps - known + steps).clamp(max=self.num_steps - 1)
        items = torch.arange(window.shape[1], device=window.device)
        rate = window.sum(0) / known[:, None, None, None]
        is_known = (steps < known)[..., None, None, None]
        return torch.where(is_known, window[places, items], rate)

    def memory_shape(self, step: torch.Size) -> torch.Size:
        """Return the shape of the memory, ``[N, T, C, H, W]``."""
        return torch.Size([step[0], self.num_steps, *step[1:]])
