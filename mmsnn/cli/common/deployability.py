"""Output of ``mmsnn doctor CONFIG``: inputs of the layers, and the exporters."""

import argparse
import sys
from typing import TYPE_CHECKING, Any

from .progress import progress

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from rich.table import Table

    from mmsnn.analysis import LayerOperations

FEEDS = {'binary': 'spikes', 'integer': 'sums of spikes', 'analog': 'analog values'}


def show_deployability(args: argparse.Namespace) -> None:
    """Print which layers of a config's model multiply, and which exporters support it.

    Raises:
        UserError: If the config or its model cannot be built.
    """
    from rich.console import Console

    from mmsnn.analysis.deployability import synaptic_layers
    from mmsnn.analysis.model_inputs import InputSource, build_model, make_batches

    from .read_config import read_config

    cfg = read_config(args)
    progress('Building the model')
    model: Any = build_model(cfg).cpu()
    (batch,) = make_batches(cfg, InputSource('random'), num_images=2, batch_size=2)
    progress('Analysing the layers')
    layers = synaptic_layers(model, batch)
    progress('Checking the exporters')
    verdicts = list(_verdicts(model, cfg, model.data_preprocessor(batch)['inputs']))
    width = None if sys.stdout.isatty() else 160
    console = Console(highlight=False, markup=False, width=width)
    console.print(_layer_table(layers))
    console.print(_summary(layers), end='\n\n')
    console.print(_exporter_table(verdicts))


def _layer_table(layers: 'Sequence[LayerOperations]') -> 'Table':
    from rich.table import Table

    from mmsnn.reporting.tables import si

    table = Table(title='Layers with weights, and products', title_justify='left')
    for name in ('layer', 'part', 'fed by', 'computes', 'dense MACs per image'):
        table.add_column(name, overflow='fold')
    for layer in layers:
        multiplies = layer.values == 'analog'
        table.add_row(
            layer.name,
            layer.part,
            FEEDS[layer.values],
            'multiplications' if multiplies else 'accumulations',
            si(layer.mean.dense),
            style='yellow' if multiplies else None,
        )
    return table


def _summary(layers: 'Sequence[LayerOperations]') -> str:
    from mmsnn.reporting.tables import si

    fed = [layer for layer in layers if layer.values != 'analog']
    binary = sum(layer.values == 'binary' for layer in fed)
    total = sum(layer.mean.dense for layer in layers)
    multiplied = total - sum(layer.mean.dense for layer in fed)
    return (
        f'{binary} of {len(layers)} layers are fed by spikes alone, '
        f'{len(fed) - binary} by sums of spikes; {len(layers) - len(fed)} multiply: '
        f'{si(multiplied)} of {si(total)} dense MACs per image'
    )


def _verdicts(model: Any, cfg: Any, images: Any) -> 'Iterable[tuple[str, Any]]':
    from mmsnn.deploy.export.exporters import EXPORTERS, Verdict

    for name, exporter in EXPORTERS.items():
        try:
            yield name, exporter.check(model, cfg, images)
        except ImportError as error:
            yield name, Verdict('', (str(error),))


def _exporter_table(verdicts: 'Sequence[tuple[str, Any]]') -> 'Table':
    from rich.table import Table

    table = Table(title='Exporters', title_justify='left')
    for column in ('command', 'takes', 'because'):
        table.add_column(column, overflow='fold')
    for name, verdict in verdicts:
        style = None if verdict.takes == 'all' else 'yellow' if verdict.takes else 'red'
        table.add_row(
            f'mmsnn export {name}',
            verdict.takes or 'nothing',
            '\n'.join(verdict.reasons),
            style=style,
        )
    return table


__all__ = ['show_deployability']
