"""Count a model's parameters and dense operations.

MMEngine counts them by tracing the model: convolutions, linear layers and matrix
products over all time steps, as if no input were zero, and two operations per value for
norms, but not neurons, activations and most pooling layers. A spiking network needs
fewer operations, because most of its inputs are zero; `mmsnn energy` counts them. The
input is noise of the size that the config's test pipeline defines, or of --shape; no
data set is needed.

Examples:
    mmsnn flops CONFIG
    mmsnn flops CONFIG --shape 224
    mmsnn flops CONFIG --table
"""

import argparse

from .common.exit_codes import note
from .common.options import add_config_options, add_shape_option, get_source
from .common.progress import progress
from .common.read_config import read_config

DENSE = (
    'this is the dense count, as if no input were zero; mmsnn energy counts the '
    'operations of spikes'
)


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the options."""
    add_config_options(parser)
    add_shape_option(parser, "the size that the config's test pipeline defines")
    parser.add_argument(
        '--table', action='store_true', help='also print the counts of each module'
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

    (batch,) = make_batches(cfg, get_source(args.shape, 'random'), num_images=1)
    forget_pretrained(cfg.get('model'))
    model = build_model(cfg)
    check_batch(model, batch)
    # MMEngine warns about each operator that it does not count.
    MMLogger.get_current_instance().setLevel('ERROR')
    progress('Counting')
    result, shape = count_dense(model, batch)
    if args.table:
        print(result['out_table'])
    print(f'Config:      {args.config}')
    print(f'Input shape: {"x".join(map(str, shape))}')
    print(f'MACs:        {si(result["flops"])}')
    print(f'Activations: {si(result["activations"])}')
    print(f'Parameters:  {si(result["params"])}')
    try:
        named_neurons(model)
    except ValueError:
        return
    note(DENSE)
