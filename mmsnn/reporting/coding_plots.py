"""Plots of coding dynamics."""

from collections.abc import Sequence

from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator
from torch import Tensor

from mmsnn.analysis.coding.coding_dynamics import EncoderCoding


def choose_channels(output: Tensor, number: int) -> list[int]:
    """Return the channels of ``[T, C, H, W]`` whose mean over time varies most."""
    spread = output.mean(0).flatten(1).std(1, correction=0)
    return sorted(spread.argsort(descending=True)[:number].tolist())


def draw_entropy(encoders: Sequence[EncoderCoding]) -> Figure:
    """Draw entropy, share of nonzero outputs, and mean change over the time steps."""
    figure = Figure(figsize=(11, 3.4), layout='constrained')
    axes = figure.subplots(1, 3)
    titles = (
        'entropy [bit]',
        'share of nonzero outputs',
        'mean change from the previous step',
    )
    for number, encoder in enumerate(encoders):
        curves = (encoder.entropy_bits, encoder.firing_rate, encoder.step_change)
        for axis, y in zip(axes, curves, strict=True):
            # the change starts with the second time step
            x = range(encoder.num_steps - len(y) + 1, encoder.num_steps + 1)
            style = ('o-', 's--')[number % 2]
            axis.plot(x, y, style, markersize=4, label=encoder.name)
    for axis, title in zip(axes, titles, strict=True):
        axis.set(title=title, xlabel='step', ylim=(0, None))
        axis.set_xlim(0.5, max(e.num_steps for e in encoders) + 0.5)
        axis.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes[0].legend()
    return figure


def draw_durations(encoders: Sequence[EncoderCoding]) -> Figure:
    """Draw histograms of the exact and the observed durations."""
    figure = Figure(figsize=(11, 3.4), layout='constrained')
    axes = figure.subplots(1, 2, sharey=True)
    longest = max(encoder.num_steps for encoder in encoders)
    width = 0.8 / len(encoders)
    for number, encoder in enumerate(encoders):
        kinds = ([0, *encoder.durations], encoder.observed_durations)
        for axis, counts in zip(axes, kinds, strict=True):
            shares = {t: n / encoder.num_positions for t, n in enumerate(counts)}
            shares[longest + 1] = encoder.silent_share
            x = [t + (number - (len(encoders) - 1) / 2) * width for t in shares]
            axis.bar(x, list(shares.values()), width, label=encoder.name)
    ticks = range(0, longest + 1, max(1, longest // 16))
    for axis, title in zip(axes, ('exact', 'observed'), strict=True):
        labels = [*map(str, ticks), 'silent']
        axis.set_xticks([*ticks, longest + 1], labels)
        axis.set(title=f'{title} duration', xlabel='steps')
        axis.grid(axis='x', visible=False)
    axes[0].set_ylabel('share of positions')
    axes[0].legend()
    return figure


def draw_outputs(output: Tensor, channels: Sequence[int]) -> Figure:
    """Draw an output ``[T, C, H, W]``: rows are channels, columns are time steps."""
    steps, _, height, width = output.shape
    size = 1.3
    sides = size * steps + 1.5, size * len(channels) * height / width + 0.5
    figure = Figure(figsize=sides, layout='constrained')
    shown = output[:, channels]
    limits = (min(0.0, shown.min().item()), max(1.0, shown.max().item()))
    axes = figure.subplots(len(channels), steps, squeeze=False)
    for row, channel in zip(axes, channels, strict=True):
        for axis, values in zip(row, output[:, channel], strict=True):
            image = axis.imshow(values.numpy(), vmin=limits[0], vmax=limits[1])
            axis.set(xticks=[], yticks=[])
            axis.spines[:].set_visible(False)
            axis.grid(visible=False)
        row[0].set_ylabel(f'channel {channel}', fontsize=9)
    for step, axis in enumerate(axes[0], 1):
        axis.set_title(f'step {step}', fontsize=9)
    figure.colorbar(image, ax=axes, shrink=0.8)
    return figure


__all__ = ['choose_channels', 'draw_durations', 'draw_entropy', 'draw_outputs']
