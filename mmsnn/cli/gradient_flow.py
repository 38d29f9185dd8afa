"""Show the gradients of a spiking network, layer by layer.

Tables are printed, and saved with plots as report.html, report.json and PNG files.

Examples:
    mmsnn gradient-flow CONFIG
    mmsnn gradient-flow CONFIG CHECKPOINT --random 64 --batch-size 4 --weights
"""

import argparse
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from .common.progress import track
from .common.reports import add_input_options, finish, load

if TYPE_CHECKING:
    from mmengine.model import BaseModel

    from mmsnn.analysis.gradients.gradient_flow import Gradients
    from mmsnn.analysis.gradients.gradient_stability import Stability

LOSS = "the config's loss on annotated images of its test set"
PROJECTION = (
    'a random projection of the features (Gaussian weights of norm 1, seeded), because '
    'the images have no annotations'
)


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the options."""
    add_input_options(parser, 'gradient_flow')
    parser.add_argument(
        '--weights',
        action='store_true',
        help="also show gradients with respect to layers' weights",
    )


def measure(
    model: 'BaseModel', batches: Iterable[dict[str, Any]], by_loss: bool,
    weights: bool, seed: int,
) -> tuple['Gradients', 'Stability', list[float]]:  # fmt: skip
    """Run forward and backward in training mode; also return the loss of each batch."""
    from mmsnn.analysis.gradients.gradient_flow import GradientFlow
    from mmsnn.analysis.gradients.gradient_stability import GradientStability
    from mmsnn.analysis.gradients.losses import loss_of, projection_of
    from mmsnn.utils.dry_run import CANNOT_PROCESS, explain_part
    from mmsnn.utils.errors import UserError

    model.train()
    losses = []
    with GradientFlow(model, weights) as flow, GradientStability(model) as stability:
        for batch in track(batches, 'Running forward and backward'):
            with explain_part(CANNOT_PROCESS, model):
                loss = (
                    loss_of(model, batch)
                    if by_loss
                    else projection_of(model, batch, seed)
                )
            if not loss.requires_grad:
                raise UserError('the model has no trainable parameters')
            loss.backward()
            losses.append(loss.item())
            model.zero_grad()
    return flow.result(), stability.result(), losses


def notes_on(by_loss: bool, batch_size: int) -> list[str]:
    """Return the assumptions under which the numbers hold."""
    return [
        f'Gradients are of {LOSS if by_loss else PROJECTION}.',
        'The network is in training mode: its norms use the statistics of each batch '
        f'of up to {batch_size} images.',
        'The output of a block in a densely additive stage is the sum of all blocks so '
        'far. Norms are over a batch and all time steps; for several batches, their '
        'root mean square.',
        'The gain is the product over the stages of the norm after the first block '
        'divided by the norm after the last block of the same size: below 1, gradients '
        'vanish towards shallow blocks; above 1, they grow.',
        'Gradient stability is the mean derivative of spikes with respect to membrane '
        'potentials (Li et al., DANet, Section V-E). With shortcuts, convolutions and '
        'norms are assumed to pass gradients unchanged; it is only defined for merges '
        'that add.',
    ]


def main(args: argparse.Namespace) -> None:
    """Analyse a network."""
    cfg, model, batches, facts = load(args)

    from mmengine.model import revert_sync_batchnorm

    from mmsnn.analysis.gradients.losses import is_annotated
    from mmsnn.analysis.model_parts import named_neurons, refuse_single_values
    from mmsnn.reporting.gradient_plots import draw
    from mmsnn.reporting.gradient_report import headline, norm_table, stability_table
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
    model = revert_sync_batchnorm(model)  # there is one process
    refuse_single_values(model)
    gradients, stability, losses = measure(
        model, batches, by_loss, args.weights, args.seed
    )
    tables = [
        norm_table(
            'Gradient with respect to outputs of blocks', 'block', gradients.blocks
        ),
        stability_table(stability),
    ]
    if gradients.layers:
        tables.append(
            norm_table('Gradient with respect to weights', 'layer', gradients.layers)
        )
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
    finish(report, args)
