"""Print the tables of docs/gradient_flow.md: gradients of untrained 152-layer networks.

Usage:
    python tools/docs_tools/gradient_tables.py [--seeds 3]
"""

import argparse
import statistics
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import torch
from mmengine.logging import MMLogger
from torch import Tensor, nn
from torch.nn import functional as F

# a checkout works without being installed
sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from mmsnn.analysis.gradients.gradient_flow import gradient_norm, watch_passed  # noqa: E402
from mmsnn.analysis.gradients.gradient_flow import norm_ratio as ratio  # noqa: E402
from mmsnn.models import ResNetSNN  # noqa: E402
from mmsnn.models.residual import FAMILIES  # noqa: E402

DEPTH = 152
STAGE_3 = slice(11, 47)
"""The outputs of stage 3's 36 blocks: 35 blocks that keep the size lie between the
first and the last."""


class Setting(NamedTuple):
    """A threshold, and the sharpness of the ATan surrogate."""

    v_threshold: float
    alpha: float


PAPER_SETTINGS = (Setting(1.0, 2.0), Setting(1.0, 3.0), Setting(0.5, 2.0))
"""The settings of Figs. 6, 8 and 7 of Fang et al. 2021."""


@dataclass(frozen=True)
class Flow:
    """The output of each block, first to last, and its gradient.

    In a densely additive stage, the output is the sum of all blocks so far.

    Args:
        values: One tensor ``[T * N, C, H, W]`` per block.
        gradients: Gradients of the loss with respect to ``values``.
    """

    values: list[Tensor]
    gradients: list[Tensor]

    @property
    def norms(self) -> list[float]:
        """L2 norms of the gradients."""
        return [gradient_norm(gradient) for gradient in self.gradients]


def measure(
    family: str,
    setting: Setting,
    zero_init: bool,
    num_steps: int = 4,
    detach_reset: bool = True,
    seed: int = 0,
    base_channels: int = 8,
    num_images: int = 4,
    image_size: int = 32,
    stem: str = 'cifar',
) -> Flow:
    """Run an untrained network forward and backward once, in training mode.

    The images are noise; the loss is the cross entropy of a random linear classifier
    of the features' mean over time and space.

    Args:
        family: The residual family.
        setting: The setting of all neurons, which are IF.
        zero_init: Whether blocks start as the identity.
        num_steps: Number of time steps T.
        detach_reset: Whether the neurons' reset is detached from the gradient.
        seed: Seed of weights, images and labels.
        base_channels: Width of the network, 64 in the papers.
        num_images: Batch size.
        image_size: Side of the images.
        stem: ``'cifar'`` or ``'imagenet'``.
    """
    torch.manual_seed(seed)
    surrogate = dict(type='ATan', alpha=setting.alpha)
    network = ResNetSNN(
        DEPTH,
        family,
        num_steps=num_steps,
        base_channels=base_channels,
        stem=stem,
        neuron=dict(
            type='IF',
            v_threshold=setting.v_threshold,
            detach_reset=detach_reset,
            surrogate=surrogate,
        ),
        zero_init_residual=zero_init,
    )
    network.init_weights()
    network.train()
    values: list[Tensor] = []

    def keep(name: str, value: Tensor) -> None:
        values.append(value)

    for _ in watch_passed(network, keep):
        pass  # registers the hooks; the network is not used again
    features = network(torch.randn(num_images, 3, image_size, image_size))[0]
    decoded = features.mean((0, 3, 4))
    logits = nn.Linear(decoded.shape[1], 10)(decoded)
    loss = F.cross_entropy(logits, torch.randint(10, (num_images,)))
    gradients = torch.autograd.grad(loss, values)
    return Flow([value.detach() for value in values], list(gradients))


def cell(ratios: Sequence[float]) -> str:
    """Return the median, or the range if seeds differ by more than a factor of 10."""
    low, high = min(ratios), max(ratios)
    if high > 10 * low:
        return f'{low:.0e} to {high:.0e}'
    middle = statistics.median(ratios)
    return f'{middle:.2g}' if middle == 0 or 0.01 < middle < 100 else f'{middle:.0e}'


def row(
    family: str, zero_init: bool, seeds: int, num_steps: int, detach_reset: bool
) -> str:
    """Return the row of a family and initialisation, in Markdown."""
    cells = [family, 'zero' if zero_init else 'Kaiming', 'analog']
    for setting in PAPER_SETTINGS:
        flows = [
            measure(family, setting, zero_init, num_steps, detach_reset, seed)
            for seed in range(seeds)
        ]
        if setting is PAPER_SETTINGS[0] and FAMILIES[family].values != 'analog':
            ends = [
                flow.values[STAGE_3][end].mean() for flow in flows for end in (0, -1)
            ]
            first, last = torch.stack(ends).view(seeds, 2).mean(0).tolist()
            cells[-1] = f'{first:.2f}, {last:.2f}'
        for part in (STAGE_3, slice(None)):
            cells.append(cell([ratio(flow.norms[part]) for flow in flows]))
    return f'| {" | ".join(cells)} |'


def table(
    families: Sequence[str], seeds: int, num_steps: int, detach_reset: bool = True
) -> Iterator[str]:
    """Yield the lines of a table."""
    columns = ['family', 'initialisation', 'mean value, 1/2']
    for setting in PAPER_SETTINGS:
        name = f'{setting.v_threshold:g}/{setting.alpha:g}'
        columns += [f'stage 3, {name}', f'all, {name}']
    yield f'| {" | ".join(columns)} |'
    yield '|---' * len(columns) + '|'
    for family in families:
        for zero_init in (False, True):
            if FAMILIES[family].merge is not None or not zero_init:
                yield row(family, zero_init, seeds, num_steps, detach_reset)


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(
        description='Print the tables of docs/gradient_flow.md',
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    parser.add_argument('--seeds', type=int, default=3, help='networks per cell')
    seeds = parser.parse_args().seeds
    if seeds < 1:
        parser.error(f'--seeds must be at least 1, but got {seeds}')
    MMLogger.get_current_instance().setLevel('WARNING')
    torch.set_num_threads(1)  # the layers are small: more threads do not help
    families = [name for name in FAMILIES if not name.startswith('PA-')]
    for steps in (4, 1):
        print(f'\nT = {steps}\n')
        for line in table(families, seeds, num_steps=steps):
            print(line, flush=True)
    print('\nT = 4, detach_reset=False\n')
    for line in table(['Spiking'], seeds, num_steps=4, detach_reset=False):
        print(line, flush=True)


if __name__ == '__main__':
    main()
