"""Show how gradients flow through a spiking network, and how stable its neurons' are.

Usage:
    python tools/analysis_tools/gradient_flow.py CONFIG [CHECKPOINT]
        [--images DIR | --random [HEIGHT WIDTH]] [--weights]
"""

import argparse
import math
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

import _analysis
from _gradient_plots import draw, flag

if TYPE_CHECKING:
    from mmengine.model import BaseModel
    from torch import Tensor

    from mmsnn.analysis.gradients.gradient_flow import (
        BlockGradient,
        Gradients,
        LayerGradient,
    )
    from mmsnn.analysis.gradients.gradient_stability import Stability
    from mmsnn.reporting.report import Table

LOSS = "the config's loss, by the annotations of its test set"
PROJECTION = (
    'a random projection of the features (Gaussian weights of norm 1, seeded), since '
    'the images have no annotations'
)


def is_annotated(batch: dict[str, Any]) -> bool:
    """Return whether a detector's or a classifier's loss can be taken of a batch."""
    samples = batch.get('data_samples') or []
    return bool(samples) and all(
        'gt_label' in sample
        or ('gt_instances' in sample and 'bboxes' in sample.gt_instances)
        for sample in samples
    )


def loss_of(model: 'BaseModel', batch: dict[str, Any]) -> 'Tensor':
    """Return the training loss of a batch."""
    data = model.data_preprocessor(batch, training=True)
    return model.parse_losses(model(**data, mode='loss'))[0]


def projection_of(model: 'BaseModel', batch: dict[str, Any], seed: int) -> 'Tensor':
    """Return a weighted sum of a batch's features; its gradient by them has norm 1."""
    import torch

    inputs = model.data_preprocessor(batch, training=False)['inputs']
    features = model.extract_feat(inputs)
    generator = torch.Generator().manual_seed(seed)
    weights = [torch.randn(f.shape, generator=generator) for f in features]
    norm = math.hypot(*(weight.norm().item() for weight in weights))
    return sum(
        (feature * weight.to(feature) / norm).sum()
        for feature, weight in zip(features, weights, strict=True)
    )


def measure(
    model: 'BaseModel', batches: Iterable[dict[str, Any]], by_loss: bool,
    weights: bool, seed: int,
) -> tuple['Gradients', 'Stability', list[float]]:  # fmt: skip
    """Run forward and backward in training mode; return also each batch's loss."""
    from mmsnn.analysis.gradients.gradient_flow import GradientFlow
    from mmsnn.analysis.gradients.gradient_stability import GradientStability
    from mmsnn.utils.errors import UserError

    model.train()
    losses = []
    with GradientFlow(model, weights) as flow, GradientStability(model) as stability:
        for batch in batches:
            loss = (
                loss_of(model, batch) if by_loss else projection_of(model, batch, seed)
            )
            if not loss.requires_grad:
                raise UserError('no parameter of the model learns: it has no gradients')
            loss.backward()
            losses.append(loss.item())
            model.zero_grad()
    return flow.result(), stability.result(), losses


def norm_table(
    title: str, first: str, rows: 'Sequence[BlockGradient | LayerGradient]'
) -> 'Table':
    """Return the norms of blocks or layers as a table."""
    from mmsnn.analysis.gradients.gradient_flow import BlockGradient
    from mmsnn.reporting.report import Column, Table

    columns = [Column(first), Column('norm', format='.3e'), Column('flag')]
    cells = [[row.name, row.norm, flag(row.norm)] for row in rows]
    blocks = [row for row in rows if isinstance(row, BlockGradient)]
    if blocks:
        columns.insert(1, Column('passes on', 'C x H x W'))
        for block, line in zip(blocks, cells, strict=True):
            line.insert(1, 'x'.join(map(str, block.shape)))
    notes = [
        f'{len(bad)} {text}: {", ".join(bad)}'
        for kind, text in (
            ('ZERO', 'with gradients that are zero'),
            ('NOT FINITE', 'with gradients that are infinite or not a number'),
            ('none', 'that no gradient reaches (frozen, or not used by the loss)'),
        )
        if (bad := [row.name for row in rows if flag(row.norm) == kind])
    ]
    return Table(title, tuple(columns), tuple(map(tuple, cells)), tuple(notes))


def stability_table(stability: 'Stability') -> 'Table':
    """Return the amplitudes of the layers of neurons as a table."""
    from mmsnn.reporting.report import Column, Table

    steps = max(len(n.step_amplitudes) for n in stability.neurons)
    columns = [
        Column('neurons'),
        Column('path'),
        Column('mean dO/dV', format='.4f', bar=True),
        *(Column(f't = {t + 1}', format='.4f') for t in range(steps)),
    ]
    rows = []
    for n in stability.neurons:
        path = 'main' if n.on_main_path else 'side'
        means = [*n.step_amplitudes, *[None] * (steps - len(n.step_amplitudes))]
        rows.append((n.name, path, n.amplitude, *means))
    return Table('Gradient stability of the neurons', tuple(columns), tuple(rows))


def headline(gradients: 'Gradients', stability: 'Stability') -> dict[str, str]:
    """Return the numbers that stand for the whole network."""
    numbers = {
        'Gain over blocks of one size': gradients.gain,
        'Stability over the main path': stability.overall,
        'Stability with shortcuts': stability.with_shortcuts,
    }
    shown = {
        name: 'unknown' if value is None else f'{value:.3g}'
        for name, value in numbers.items()
    }
    flagged = sum(bool(flag(block.norm)) for block in gradients.blocks)
    shown['Blocks with flags'] = f'{flagged} of {len(gradients.blocks)}'
    return shown


def notes_on(by_loss: bool, batch_size: int) -> list[str]:
    """Return the assumptions under which the numbers hold."""
    return [
        f'Gradients are of {LOSS if by_loss else PROJECTION}.',
        'The network is in training mode: its norms take the statistics of each batch '
        f'of up to {batch_size} images.',
        'A block passes on its output, in densely additive stages the sum so far. '
        'Norms are over a batch and all steps; of several batches, root mean squares.',
        'The gain is, of each stage, the norm behind its first block over that behind '
        'its last one of the same size, multiplied over the stages: below 1 gradients '
        'vanish on their way to shallow blocks, above 1 they grow.',
        'Gradient stability is the mean derivative of spikes by potentials (Li et al., '
        'DANet, Section V-E). With shortcuts, it takes convolutions and norms to pass '
        'gradients unchanged, and is known for merges that add.',
    ]


def main() -> None:
    """Analyse a network."""
    parser = argparse.ArgumentParser(description=__doc__.partition('\n')[0])
    _analysis.add_input_options(parser)
    parser.add_argument(
        '--weights', action='store_true', help="show gradients by layers' weights, too"
    )
    args = parser.parse_args()
    cfg, model, batches, facts = _analysis.load(args)

    from mmengine.model import revert_sync_batchnorm

    from mmsnn.analysis.model_parts import named_neurons, refuse_single_values
    from mmsnn.reporting.report import Report
    from mmsnn.utils.errors import UserError

    try:
        named_neurons(model)
    except ValueError as error:
        raise UserError(f'config {args.config!r}: {error}') from error
    by_loss = (
        args.images is None
        and args.random is None
        and is_annotated(next(iter(batches)))
    )
    model = revert_sync_batchnorm(model)  # one process has nobody to wait for
    refuse_single_values(model)
    gradients, stability, losses = measure(
        model, batches, by_loss, args.weights, args.seed
    )
    tables = [
        norm_table('Gradient by what blocks pass on', 'block', gradients.blocks),
        stability_table(stability),
    ]
    if gradients.layers:
        tables.append(norm_table('Gradient by weights', 'layer', gradients.layers))
    report = Report(
        'Gradient flow',
        {**facts, 'Loss': f'{sum(losses) / len(losses):.4g}'},
        tables,
        draw(gradients, stability),
        notes_on(by_loss, args.batch_size),
        {
            'gain': gradients.gain,
            'gradients': gradients,
            'stability': stability,
            'losses': losses,
            'by_loss': by_loss,
        },
        headline(gradients, stability),
    )
    _analysis.finish(report, _analysis.out_dir(args))


if __name__ == '__main__':
    _analysis.run(main)
