"""Count a model's parameters and dense operations.

MMEngine counts them by tracing the model: convolutions, linear layers and matrix
products as if all their inputs were real numbers, over all time steps, and two
operations per value for norms; not neurons, activations and most poolings. A spiking
network computes less than this dense count, because most of its inputs are zero:
`mmsnn energy` counts operations of spikes.

Examples:
    mmsnn flops CONFIG --shape 224
    mmsnn flops CONFIG --table
"""

import argparse

from .common.exit_codes import note
from .common.options import add_config_options, add_shape_option, get_source
from .common.progress import track
from .common.read_config import read_config

DENSE = (
    'this is the dense count, as if every spike train were real numbers; '
    'tools/analysis_tools/energy.py counts the operations of spikes'
)


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the options."""
    add_config_options(parser)
    add_shape_option(parser)
    parser.add_argument(
        '--num-images',
        type=int,
        default=100,
        help='images of the test set to average over (default: 100)',
    )
    parser.add_argument(
        '--table', action='store_true', help='print the counts of each module, too'
    )


def main(args: argparse.Namespace) -> None:
    """Count and print."""
    cfg = read_config(args)
    from mmengine.logging import MMLogger

    from mmsnn.analysis.dense_operations import count_dense
    from mmsnn.analysis.model_inputs import build_model, make_batches
    from mmsnn.analysis.model_parts import named_neurons
    from mmsnn.reporting.report import si
    from mmsnn.utils.dry_run import check_batch
    from mmsnn.utils.preflight import forget_pretrained

    source = get_source(args.shape)
    batches = make_batches(cfg, source, 1 if args.shape else args.num_images)
    forget_pretrained(cfg.get('model'))
    model = build_model(cfg)
    check_batch(model, next(iter(batches)))
    # MMEngine warns about each operator that it does not count.
    MMLogger.get_current_instance().setLevel('ERROR')
    result, shapes = count_dense(model, track(batches, 'Counting'))
    if args.table:
        print(result['out_table'])
    several = f'{shapes[0]} ... {shapes[-1]} ({len(shapes)} shapes)'
    print(f'Config:      {args.config}')
    print(f'Images:      {batches.source}')
    print(f'Input shape: {shapes[0] if len(shapes) == 1 else several}')
    print(f'MACs:        {si(result["flops"])}')
    print(f'Activations: {si(result["activations"])}')
    print(f'Parameters:  {si(result["params"])}')
    try:
        named_neurons(model)
    except ValueError:
        return
    note(DENSE)
