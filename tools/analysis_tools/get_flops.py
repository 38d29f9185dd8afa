"""Count a model's parameters and multiply-accumulates, as MMDetection's tool does.

MMEngine counts them by tracing the model: convolutions, linear layers and matrix
products as if all their inputs were real numbers, over all time steps, and two
operations a value for norms; not neurons, activations and most poolings. Of a spiking
network this dense count is not what it computes, because most of its inputs are zero:
energy.py counts operations of spikes. Usage:
    python tools/analysis_tools/get_flops.py CONFIG [--shape HEIGHT [WIDTH]]
        [--num-images 100] [--table] [--cfg-options KEY=VALUE ...]
"""

import argparse
import warnings
from functools import partial
from statistics import fmean
from typing import TYPE_CHECKING, Any

import _config

if TYPE_CHECKING:
    from mmsnn.analysis.model_inputs import Batches

DENSE = (
    'this is the dense count, as if every spike train were real numbers; '
    'tools/analysis_tools/energy.py counts the operations of spikes'
)


def parse_args() -> argparse.Namespace:
    """Parse the command line."""
    parser = argparse.ArgumentParser(description='Count multiply-accumulates')
    _config.add_config_options(parser)
    _config.add_shape_option(parser)
    parser.add_argument(
        '--num-images',
        type=int,
        default=100,
        help='images of the test set to average over (default: 100)',
    )
    parser.add_argument(
        '--table', action='store_true', help='print the counts of each module, too'
    )
    return parser.parse_args()


def count(model: Any, batches: 'Batches') -> tuple[dict[str, Any], list[str]]:
    """Count, once for each shape of inputs.

    Returns:
        What MMEngine gives of the last image, 'flops' and 'activations' averaged over
        all of them; the shapes.
    """
    from mmengine.analysis import get_model_complexity_info

    counts: dict[tuple[int, ...], dict[str, Any]] = {}
    shapes = []
    forward = model.forward
    for batch in batches:
        data = model.data_preprocessor(batch)
        shape = tuple(data['inputs'].shape)
        shapes.append(shape)
        if shape in counts:
            continue
        model.forward = partial(forward, data_samples=data['data_samples'])
        with warnings.catch_warnings():
            # Tracing a model of Python conditions warns of each.
            warnings.simplefilter('ignore')
            counts[shape] = get_model_complexity_info(
                model, inputs=(data['inputs'],), show_arch=False
            )
    model.forward = forward
    means = {
        name: fmean(counts[shape][name] for shape in shapes)
        for name in ('flops', 'activations')
    }
    shown = sorted('x'.join(map(str, shape[1:])) for shape in counts)
    return {**counts[shapes[-1]], **means}, shown


def main() -> None:
    """Count and print."""
    args = parse_args()
    cfg = _config.read_config(args)
    from mmengine.logging import MMLogger

    from mmsnn.analysis.model_inputs import build_model, make_batches
    from mmsnn.analysis.model_parts import named_neurons
    from mmsnn.reporting.report import si
    from mmsnn.utils.dry_run import check_batch

    source = _config.get_source(args.shape)
    batches = make_batches(cfg, source, 1 if args.shape else args.num_images)
    _config.forget_pretrained(cfg.get('model'))
    model = build_model(cfg)
    check_batch(model, next(iter(batches)))
    # It warns of each operator that it does not count.
    MMLogger.get_current_instance().setLevel('ERROR')
    result, shapes = count(model, batches)
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
    _config.note(DENSE)


if __name__ == '__main__':
    _config.run(main)
