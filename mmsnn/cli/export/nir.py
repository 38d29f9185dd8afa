"""Export a backbone or classifier to NIR, for neuromorphic hardware.

The graph computes one time step of a classifier up to its scores, or of the backbone of
a detector, on images as the data preprocessor returns them. If NIR cannot express a
layer, the error names it and the reason. The graph is then run with SpikingJelly and
compared with PyTorch's network on images.

Examples:
    mmsnn export nir CONFIG CHECKPOINT --out backbone.nir
"""

import argparse
import io
from typing import TYPE_CHECKING, Any

from mmsnn.cli.common.exit_codes import note
from mmsnn.cli.common.progress import progress, track

from . import common

if TYPE_CHECKING:
    from torch import Tensor, nn


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the options."""
    common.add_options(parser, '.nir', optional_checkpoint=True)


def main(args: argparse.Namespace) -> None:
    """Export, save, compare and print."""
    from mmsnn.utils.errors import UserError

    try:
        import nir
        import nirtorch  # noqa: F401
    except ImportError as error:
        raise UserError(
            f"{error.name} is not installed: pip install 'mmsnn[nir]'"
        ) from error

    from mmsnn.deploy.export.nir_simulation import compare_nir
    from mmsnn.reporting.tables import Column, Table
    from mmsnn.utils.atomic_files import write_atomically

    _, built, batches = common.load(args, '.nir')
    model: Any = built.cpu()
    inputs = [model.data_preprocessor(batch, False)['inputs'] for batch in batches]
    size = inputs[0].shape
    same = [images for images in inputs if images.shape == size]
    if len(same) < len(inputs):
        note(
            f'the graph is for inputs of {size[-2]} x {size[-1]} pixels: '
            f'{len(inputs) - len(same)} of {len(inputs)} images have another size'
        )
    progress('Exporting')
    network, graph = _export(model, inputs[0])
    content = io.BytesIO()
    nir.write(content, graph)
    write_atomically(args.out, content.getvalue())
    columns = (
        Column('image'),
        Column('output'),
        Column('values'),
        Column('mean', format='.4f'),
        Column('differing'),
        Column('greatest difference', format='.1e'),
    )
    rows = tuple(
        (number, one.output, one.values, one.mean, one.differing, one.error)
        for number, images in enumerate(track(same, 'Comparing'))
        for one in compare_nir(network, graph, images)
    )
    title = "PyTorch's network and the graph in SpikingJelly"
    print(Table(title, columns, rows).text())
    if graph.metadata['average_outputs']:
        steps = graph.metadata['num_steps']
        print(f'\nScores are the mean of the output over {steps} time steps')
    print(
        f'\nSaved {args.out}: {len(graph.nodes)} nodes, {len(graph.edges)} edges '
        f'({len(content.getvalue()) / 1e6:.1f} MB)'
    )


def _export(model: 'nn.Module', images: 'Tensor') -> 'tuple[nn.Module, Any]':
    """Export a classifier, or the backbone if NIR cannot express all of a model.

    Raises:
        UserError: If NIR cannot express the backbone.
    """
    from mmsnn.deploy.export.nir_graph import export_nir, nir_networks
    from mmsnn.utils.errors import UserError

    *larger, backbone = nir_networks(model)
    left_out = ''
    for network in larger:
        try:
            return network, export_nir(network, images)
        except UserError as error:
            left_out = f'only the backbone is exported: {error}'
    graph = export_nir(backbone, images)
    if left_out:
        note(left_out)
    return backbone, graph
