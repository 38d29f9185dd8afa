"""Firing rates in residual blocks, and the expected mean values of their merges."""

from dataclasses import dataclass
from typing import cast

from torch import nn

from mmsnn.models.layers import Unit
from mmsnn.models.residual import Merge, ResidualBlock, Values

from .spike_counts import MeanTally


@dataclass(frozen=True)
class BlockFiring:
    r"""Firing rates and mean values in a residual block (Fang et al. 2021, Section 4).

    Sums of spikes are not spikes: if blocks add them, the "firing rate" in the paper's
    figures is the mean value, as here.

    Attributes:
        name: Name of the module in the model.
        part: See :func:`mmsnn.analysis.find_parts`.
        merge: Class of the merge; None without a shortcut.
        downsamples: Whether the shortcut is a projection, not the identity.
        last_firing_rate: Firing rate of :math:`A^l`, the block's last spiking neurons:
            those at the end of the branch or, after an addition of currents, at the end
            of the block. None if neither ends with neurons and the block returns
            currents.
        shortcut_mean: Mean value of the merge's other input; None if it is analog.
        output_mean: Mean value of the block's output :math:`O^l`; None if it is analog.
        output_values: Widest kind of output values over all images.
        expected_mean: Mean output of the merge for independent inputs, see
            :meth:`mmsnn.models.residual.Merge.expected_mean`; None if the inputs are
            not spikes. In a network the inputs are not independent: both depend on the
            block's input, and rates differ between channels and positions.
        sum_mean: In a densely additive stage, mean value of the sum of the outputs up
            to this block, which is the next block's input; None in other stages.
    """

    name: str
    part: str
    merge: str | None
    downsamples: bool
    last_firing_rate: float | None
    shortcut_mean: float | None
    output_mean: float | None
    output_values: Values
    expected_mean: float | None
    sum_mean: float | None


def expected_mean(merge: Merge, residual: float, shortcut: float) -> float | None:
    """Return :meth:`mmsnn.models.residual.Merge.expected_mean` of a merge."""
    return merge.expected_mean(residual, shortcut)


Means = dict[tuple[str, str], MeanTally]
"""Mean values by name of the block and role: the merge's ``'residual'`` and
``'shortcut'``, and the block's ``'output'``."""


def _ends_with_neurons(unit: nn.Module | None) -> bool:
    return cast(Unit, unit).order.endswith('S') if unit is not None else False


def summarise_block(
    name: str, part: str, block: ResidualBlock, means: Means, before: float | None
) -> BlockFiring:
    """Return a block's summary; ``before`` is the mean of the sum that is its input."""
    output = means[name, 'output']
    residual = shortcut = expected = None
    binary = True
    branch_fires = _ends_with_neurons(block.branch[-1])
    projection = block.projection
    if block.merge is not None:
        # zero-initialised norms return zeros, so the values do not show what is analog
        if branch_fires:
            residual = means[name, 'residual'].of_spikes
        if projection is None or _ends_with_neurons(projection):
            shortcut = means[name, 'shortcut'].of_spikes
        binary = all(means[name, role].binary for role in ('residual', 'shortcut'))
        summable = binary or block.merge.adds
        if residual is not None and shortcut is not None and summable:
            expected = expected_mean(block.merge, residual, shortcut)
    last = residual
    if _ends_with_neurons(block.post) or (block.merge is None and branch_fires):
        last = output.of_spikes
    mean = output.of_spikes
    return BlockFiring(
        name=name,
        part=part,
        merge=None if block.merge is None else type(block.merge).__name__,
        downsamples=projection is not None and 'C' in projection.order,
        last_firing_rate=last,
        shortcut_mean=shortcut,
        output_mean=mean,
        output_values=output.values,
        expected_mean=expected,
        sum_mean=None if before is None or mean is None else before + mean,
    )


__all__ = ['BlockFiring', 'Means', 'expected_mean', 'summarise_block']
