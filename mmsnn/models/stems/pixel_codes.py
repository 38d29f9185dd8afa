"""Rate, time-to-first-spike and phase coding of pixel intensities."""

from typing import Unpack

import torch
from torch import Tensor

from mmsnn.models.layers import LayerFactory
from mmsnn.registry import MODELS
from mmsnn.utils import check_positive_int, describe

from .pixel_coding import LEVELS, CodedStem, CodedStemOptions


@MODELS.register_module()
class RateStem(CodedStem):
    """Rate coding: at each step a pixel fires with its intensity as probability.

    See Van Rullen and Thorpe 2001. Time steps are independent: the mean over T of them
    has a standard deviation of up to ``0.5 / sqrt(T)``. Any number of time steps is
    allowed.

    SpikingJelly's PoissonEncoder does the same, but takes no generator, and black
    pixels fire once in 2**24 draws.

    In training, spikes are drawn from PyTorch's global generator, which activation
    checkpointing restores. In evaluation each call starts from ``seed``, so that
    results are reproducible.

    Args:
        in_channels: See :class:`CodedStem`.
        out_channels: See :class:`CodedStem`.
        layers: See :class:`CodedStem`.
        seed: Seed of the spikes in evaluation mode, at least 0. None uses the global
            generator there too.
        **options: The other arguments of :class:`CodedStem`.

    Raises:
        TypeError: If an argument has the wrong type.
        ValueError: If an argument is out of range, or the input has another shape or
            range.
    """

    draws_random_numbers = True

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        layers: LayerFactory,
        seed: int | None = 0,
        **options: Unpack[CodedStemOptions],
    ) -> None:
        super().__init__(in_channels, out_channels, layers, **options)
        if seed is not None and type(seed) is not int:
            raise TypeError(
                f'stem seed must be an integer or None, but got {describe(seed)}'
            )
        if seed is not None and not 0 <= seed < 2**63:
            raise ValueError(f'stem seed must be in [0, 2**63), but got {seed}')
        self.seed = seed

    def code(self, intensities: Tensor) -> Tensor:
        """Return spikes drawn with the intensities as probabilities."""
        chances = intensities.expand(self.num_steps, *intensities.shape)
        if self.seed is None or self.training:
            return torch.bernoulli(chances)
        return _seeded_bernoulli(chances, self.seed)


# an operator, so that every run of a graph starts from the seed
@torch.library.custom_op('mmsnn::seeded_bernoulli', mutates_args=())
def _seeded_bernoulli(chances: Tensor, seed: int) -> Tensor:
    generator = torch.Generator(chances.device).manual_seed(seed)
    return torch.bernoulli(chances, generator=generator)


@_seeded_bernoulli.register_fake
def _(chances: Tensor, seed: int) -> Tensor:
    return torch.empty_like(chances, memory_format=torch.contiguous_format)


@MODELS.register_module()
class LatencyStem(CodedStem):
    """Time-to-first-spike coding: each pixel fires once, brighter pixels earlier.

    A pixel fires at step ``round((T - 1) * (1 - intensity))``, white at the first step
    and black at the last (SpikingJelly's LatencyEncoder). At least 2 time steps are
    required; T of them distinguish T intensities.

    See :class:`CodedStem` for the arguments.
    """

    fixed_num_steps = True

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        layers: LayerFactory,
        **options: Unpack[CodedStemOptions],
    ) -> None:
        super().__init__(in_channels, out_channels, layers, **options)
        if self.num_steps < 2:
            raise ValueError(
                'LatencyStem needs at least 2 time steps, the first for white and '
                f'the last for black, but got num_steps={self.num_steps}'
            )

    def code(self, intensities: Tensor) -> Tensor:
        """Return one spike per pixel, at the step of its intensity."""
        times = ((self.num_steps - 1) * (1 - intensities)).round()
        steps = torch.arange(self.num_steps, device=times.device)
        return times == steps.view(-1, 1, 1, 1, 1)


@MODELS.register_module()
class PhaseStem(CodedStem):
    r"""Phase coding: the bits of the 8-bit intensity, the highest first.

    A spike at step t has the weight :math:`2^{-(1 + t \bmod K)}` (Kim et al. 2018,
    *Deep neural networks with weighted spikes*), so that the sum over the K steps of a
    period is the intensity's K highest bits; for K = 8, ``value / 256``. The input of
    the convolution is 0 or the step's weight, which is shifted by one bit per step. The
    spikes are those of SpikingJelly's WeightedPhaseEncoder. The number of time steps
    must be a multiple of K; all periods are the same.

    Args:
        in_channels: See :class:`CodedStem`.
        out_channels: See :class:`CodedStem`.
        layers: See :class:`CodedStem`.
        period: Number of steps K in a period, 1 to 8.
        **options: The other arguments of :class:`CodedStem`.

    Raises:
        TypeError: If an argument has the wrong type.
        ValueError: If an argument is out of range, T is not a multiple of K, or the
            input has another shape or range.
    """

    fixed_num_steps = True
    weights: Tensor

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        layers: LayerFactory,
        period: int = 8,
        **options: Unpack[CodedStemOptions],
    ) -> None:
        super().__init__(in_channels, out_channels, layers, **options)
        if check_positive_int('stem period', period) > 8:
            raise ValueError(
                f'stem period must be at most 8, the bits of a pixel, but got {period}'
            )
        if self.num_steps % period:
            raise ValueError(
                'PhaseStem needs num_steps to be a multiple of its period of '
                f'{period}, but got num_steps={self.num_steps}; a shorter period '
                'keeps only the highest bits'
            )
        self.period = period
        weights = torch.tensor([2.0 ** -(1 + step) for step in range(period)])
        self.register_buffer('weights', weights.view(-1, 1, 1, 1, 1), persistent=False)

    def code(self, intensities: Tensor) -> Tensor:
        """Return the intensities' bits, times the steps' weights."""
        values = (intensities * LEVELS).round()
        highest = (values / 2 ** (8 - self.period)).floor()
        # dividing by a power of two is exact: what is odd then has the step's bit
        spikes = (highest / 2**self.period / self.weights).floor() % 2
        periods = self.num_steps // self.period
        return (spikes * self.weights).repeat(periods, 1, 1, 1, 1)
