"""Coding dynamics: for how many time steps an encoder's output has new information.

The measures follow the observer model of Qiu et al., *Gated attention coding*
(Definitions 1 to 3, Eqs. 8 and 9): an observer sees the encoder's past outputs at one
position (image, channel, row, column), knows the encoder but not its parameters, and
predicts the next output.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.utils.hooks import RemovableHandle

from mmsnn.analysis.collector import Collector
from mmsnn.analysis.model_parts import in_spikes, steps_and_images
from mmsnn.models.backbones.base import SpikingBackbone
from mmsnn.models.neurons import BaseNeuron, current_steps
from mmsnn.models.stems import BaseStem
from mmsnn.utils import check_bool, describe

from .sequences import CodeValues, guess, merge_equal, quantise, smallest_periods


@dataclass(frozen=True)
class EncoderCoding:
    r"""Statistics of an encoder's output over time, over all positions of all images.

    There are two durations. Both are in time steps and only include positions that
    fire (the others are counted in ``silent_share``).

    The exact duration is the smallest period P of a position's sequence,
    :math:`x_{t+P} = x_t` for all t, or T if there is none. For direct coding it is the
    period of Eq. 13, for a repeated current it is 1 (Proposition 3), and with gated
    attention it is the time step of the last spike; gating never shortens it
    (Proposition 1). It only uses the sequence itself, so a sequence that happens to end
    as it began counts as periodic: for rate coding, it is a few time steps less than T
    for any T.

    The observed duration is that of Definition 3, for an observer who has learnt the
    encoder's statistics from these positions: the last time step before which the same
    history was followed by different outputs at other positions. For rate coding it is
    T (Proposition 2) if there are more positions than histories; otherwise it is too
    short.

    Args:
        name: Name of the encoder in the model.
        coding: Class of the encoder.
        values: ``'binary'``, ``'integer'`` (numbers of spikes), ``'graded'`` (in
            [0, 1)) or ``'analog'`` (currents).
        levels: Number of levels to which graded and analog values are quantised for
            the entropy and the observer, see ``sequences.quantise``; 1 for spikes,
            D for integers up to D.
            Zero is a separate level.
        num_images: Number of images N.
        num_positions: Number of sequences, ``N * C * H * W``.
        silent_share: Share of positions whose outputs are all zero. The observer cannot
            distinguish such a position from one that fires later.
        durations: Number of firing positions with each exact duration from 1 to T.
        observed_durations: Number of firing positions with each observed duration from
            0 to T.
        silent_duration_steps: Observed duration of the silent positions; None if there
            are none.
        entropy_bits: Entropy of each time step given all previous ones (Eq. 9), the
            plug-in estimate: too small if histories occur only a few times.
        entropy_bias_bits: The Miller-Madow correction of the entropy, not included in
            it; first order, for independent positions.
        histories: Number of distinct histories before each time step.
        lone_share: Share of positions whose history before each time step is unique.
            Their next output counts as certain, as would that of about the same share
            of a further image. The entropy is unreliable if it exceeds a few percent.
        firing_rate: Share of nonzero outputs at each time step.
        step_change: Mean absolute difference between each time step and the previous
            one, starting with the second.
    """

    name: str
    coding: str
    values: CodeValues
    levels: int
    num_images: int
    num_positions: int
    silent_share: float
    durations: tuple[int, ...]
    observed_durations: tuple[int, ...]
    silent_duration_steps: int | None
    entropy_bits: tuple[float, ...]
    entropy_bias_bits: tuple[float, ...]
    histories: tuple[int, ...]
    lone_share: tuple[float, ...]
    firing_rate: tuple[float, ...]
    step_change: tuple[float, ...]

    @property
    def num_steps(self) -> int:
        """Number of time steps T."""
        return len(self.durations)

    @property
    def mean_duration_steps(self) -> float:
        """Mean exact duration of the positions that fire, NaN if none does."""
        return _mean(self.durations, 1)

    @property
    def mean_observed_duration_steps(self) -> float:
        """Mean observed duration of the positions that fire, NaN if none does."""
        return _mean(self.observed_durations, 0)


@dataclass(frozen=True)
class Coding:
    """Coding dynamics of the encoders of a model.

    Args:
        encoders: One per spiking backbone; with ``compare``, each is followed by direct
            coding with the same weights.
    """

    encoders: tuple[EncoderCoding, ...]


class CodingDynamics(Collector):
    """Measures the coding dynamics of the encoder of every spiking backbone of a model.

    Args:
        model: A detector, a classifier or a backbone.
        levels: Number of levels to which graded and analog outputs are quantised for
            the entropy, 1 to 255.
        compare: Whether to also measure the spikes of gated encoders before the gate,
            which are direct coding with the same weights.

    Attributes:
        examples: Output of each encoder for the first image, ``[T, C, H, W]``, on the
            CPU, by the name of the encoder.

    Raises:
        TypeError: If an option has the wrong type.
        ValueError: If the model has no spiking backbone, ``levels`` is out of range, or
            there is no gated encoder to compare.
    """

    def __init__(
        self, model: nn.Module, levels: int = 16, compare: bool = False
    ) -> None:
        super().__init__(model)
        if type(levels) is not int:
            raise TypeError(f'levels must be an integer, but got {describe(levels)}')
        if not 1 <= levels <= 255:
            raise ValueError(f'levels must be 1 to 255, but got {levels}')
        self.levels = levels
        self.examples: dict[str, Tensor] = {}
        self._records: list[tuple[nn.Module, _Record]] = []
        for name, module in self.model.named_modules():
            if isinstance(module, SpikingBackbone) and _encodes(module):
                self._add(f'{name}.stem' if name else 'stem', module, compare)
        if not self._records:
            raise ValueError(
                f'{type(self.model).__name__} has no spiking backbone (a module '
                'derived from mmsnn.models.backbones.base.SpikingBackbone) whose stem '
                'emits spikes or currents'
            )
        graded = any(record.values == 'graded' for _, record in self._records)
        if check_bool('compare', compare) and not graded:
            found = ', '.join(record.coding for _, record in self._records)
            raise ValueError(
                'compare needs an encoder that weights its spikes (gated attention '
                f'coding), but got {found}'
            )

    def _add(self, name: str, backbone: SpikingBackbone, compare: bool) -> None:
        stem, steps = backbone.stem, backbone.num_steps
        graded = bool(getattr(stem, 'graded', False))
        neuron = getattr(stem, 'neuron', None)
        values: CodeValues = (
            'graded' if graded else 'analog' if neuron is None else 'binary'
        )
        levels, unit = self.levels, 1.0
        if neuron is not None and not graded and neuron.spike_values == 'integer':
            values, levels = 'integer', neuron.max_value
            unit = neuron.spike_unit
        record = _Record(name, type(stem).__name__, values, steps, levels, unit=unit)
        self._records.append((stem, record))
        if (
            compare
            and isinstance(stem, BaseStem)
            and graded
            and stem.neuron is not None
        ):
            name = f'{name} (direct)'
            record = _Record(name, 'DirectStem', 'binary', steps, 1, stem.shrink)
            self._records.append((stem.neuron, record))

    def attach(self) -> Iterator[RemovableHandle]:
        """Register the hooks; yield their handles."""
        for module, record in self._records:
            yield module.register_forward_hook(self._hook(record))

    def _hook(self, record: '_Record') -> Callable[[nn.Module, object, Tensor], None]:
        def watch(module: nn.Module, inputs: object, output: Tensor) -> None:
            # neurons may return [T, N, ...], but pooling needs [T * N, ...]
            folded = output.detach().flatten(0, -4)
            folded = record.shrink(folded) if record.shrink else folded
            steps = current_steps(record.num_steps)
            if steps != record.num_steps:
                raise ValueError(
                    'CodingDynamics compares all time steps of a call: a call of this '
                    f'stream must have num_steps={record.num_steps}, but has {steps}'
                )
            x = steps_and_images(folded, steps)
            if record.name not in self.examples:
                self.examples[record.name] = x[:, 0].float().cpu()
            record.add(x)

        return watch

    def result(self) -> Coding:
        """Return the statistics of all images so far.

        Raises:
            RuntimeError: If the encoder has not processed any image.
        """
        if not all(record.num_images for _, record in self._records):
            raise RuntimeError('CodingDynamics has seen no forward pass')
        return Coding(tuple(record.result() for _, record in self._records))


def _encodes(backbone: SpikingBackbone) -> bool:
    """Return whether the encoder emits spikes or currents, not values of ReLUs."""
    neuron = getattr(backbone.stem, 'neuron', None)
    return neuron is None or isinstance(neuron, BaseNeuron)


class _Record:
    """Statistics of one encoder: distinct sequences of levels and their counts."""

    def __init__(
        self,
        name: str,
        coding: str,
        values: CodeValues,
        num_steps: int,
        levels: int,
        shrink: Callable[[Tensor], Tensor] | None = None,
        unit: float = 1.0,
    ) -> None:
        self.unit = unit
        self.name, self.coding, self.values = name, coding, values
        self.num_steps, self.shrink = num_steps, shrink
        self.levels = 1 if values == 'binary' else levels
        self.num_images = 0
        self.durations = torch.zeros(num_steps + 1, dtype=torch.int64)
        self.rows = torch.empty(0, num_steps, dtype=torch.uint8)
        self.counts = torch.empty(0, dtype=torch.int64)
        self.fired = torch.zeros(num_steps, dtype=torch.int64)
        self.change = torch.zeros(num_steps - 1, dtype=torch.float64)

    def add(self, x: Tensor) -> None:
        """Count the sequences of a batch, ``[T, N, C, H, W]``."""
        self.num_images += x.shape[1]
        x = in_spikes(x.flatten(1), self.unit)
        fires = (x != 0).any(0)
        periods = torch.where(fires, smallest_periods(x), 0)
        self.durations += periods.bincount(minlength=self.num_steps + 1).cpu()
        self.fired += (x != 0).sum(1).cpu()
        self.change += x.diff(dim=0).abs().sum(1, dtype=torch.float64).cpu()
        levels = quantise(x, self.values, self.levels).T.cpu()
        once = torch.ones(len(levels), dtype=torch.int64)
        self.rows, self.counts = merge_equal(
            torch.cat([self.rows, levels]), torch.cat([self.counts, once])
        )

    def result(self) -> EncoderCoding:
        """Return the statistics derived from the counts."""
        total = int(self.counts.sum())
        steps = list(guess(self.rows, self.counts))
        unsure = torch.zeros(len(self.rows), dtype=torch.int64)
        for t, step in enumerate(steps, 1):
            unsure[step.unsure] = t
        silent = (self.rows == 0).all(1)
        observed = torch.zeros(self.num_steps + 1, dtype=torch.int64)
        observed.index_add_(0, unsure[~silent], self.counts[~silent])
        return EncoderCoding(
            name=self.name,
            coding=self.coding,
            values=self.values,
            levels=self.levels,
            num_images=self.num_images,
            num_positions=total,
            silent_share=int(self.durations[0]) / total,
            durations=tuple(self.durations[1:].tolist()),
            observed_durations=tuple(observed.tolist()),
            silent_duration_steps=int(unsure[silent]) if silent.any() else None,
            entropy_bits=tuple(step.entropy_bits for step in steps),
            entropy_bias_bits=tuple(step.bias_bits for step in steps),
            histories=tuple(step.histories for step in steps),
            lone_share=tuple(step.lone / total for step in steps),
            firing_rate=tuple((self.fired / total).tolist()),
            step_change=tuple((self.change / total).tolist()),
        )


def _mean(counts: tuple[int, ...], first: int) -> float:
    total = sum(counts)
    if not total:
        return float('nan')
    return sum(i * count for i, count in enumerate(counts, first)) / total


__all__ = ['Coding', 'CodingDynamics', 'EncoderCoding']
