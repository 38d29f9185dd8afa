"""The pictures of a result, by the names with which the page requests them."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from io import BytesIO
from typing import TypeVar

from matplotlib.figure import Figure

from mmsnn.analysis import ClassScores, ImageAttention
from mmsnn.reporting import (
    draw_boxes,
    draw_channel_attention,
    draw_event_frames,
    draw_firing_maps,
    draw_gate,
    draw_gradcam,
    draw_potentials,
    draw_raster,
    draw_spatial_attention,
    draw_step_map,
    draw_temporal_attention,
    firing_plots,
)
from mmsnn.reporting.energy_report import draw_parts
from mmsnn.reporting.plot_style import plot_style
from mmsnn.utils.errors import UserError

from .results import Result

Query = Mapping[str, str]
N = TypeVar('N', int, float)


def _boxes(result: Result, query: Query) -> Figure:
    if isinstance(result.prediction, ClassScores):
        raise UserError('a classifier has no boxes')
    return draw_boxes(
        result.prediction,
        result.image,
        result.served.preprocessor,
        result.served.classes,
        _number(query, 'score', float, 0.5),
    )


def _frames(result: Result, query: Query) -> Figure:
    found = result.prediction
    boxes = None if isinstance(found, ClassScores) else found
    return draw_event_frames(result.image, boxes, _number(query, 'score', float, 0.5))


def _each_step(result: Result, query: Query) -> Figure:
    if result.each_step is None:
        raise UserError('there are no boxes after each time step')
    found, image = result.each_step, result.image
    step, last = _number(query, 'steps', int, 1), len(found.detections)
    if not 1 <= step <= last:
        raise UserError(f'steps must be from 1 to {last}, but got {step}')
    if image.values.ndim == 4:  # event frames up to this time step
        image = replace(image, values=image.values[:step])
    return draw_boxes(
        found.detections[step - 1],
        image,
        result.served.preprocessor,
        result.served.classes,
        found.rule.score,
    )


def _raster(result: Result, query: Query) -> Figure:
    return draw_raster(result.spikes(_layer(result, query)).layers[0])


def _potentials(result: Result, query: Query) -> Figure:
    return draw_potentials(result.spikes(_layer(result, query)).layers[0])


def _step_map(result: Result, query: Query) -> Figure:
    spikes = result.spikes(_layer(result, query))
    step = _number(query, 'step', int, 1)
    preprocessor = result.served.preprocessor
    return draw_step_map(spikes.layers[0], spikes.image, step, preprocessor)


def _channel_maps(result: Result, query: Query) -> Figure:
    spikes = result.spikes(_layer(result, query))
    preprocessor = result.served.preprocessor
    return draw_firing_maps(spikes.layers[0], spikes.image, preprocessor)


def _temporal(result: Result, query: Query) -> Figure:
    return draw_temporal_attention(_attention(result).decoders)


def _channel(result: Result, query: Query) -> Figure:
    return draw_channel_attention(_attention(result).decoders)


def _spatial(result: Result, query: Query) -> Figure:
    found = _attention(result)
    return draw_spatial_attention(
        found.decoders, found.image, result.served.preprocessor
    )


def _gate(result: Result, query: Query) -> Figure:
    gates = _attention(result).gates
    return draw_gate(gates[_index(query, 'gate', len(gates))])


def _gradcam(result: Result, query: Query) -> Figure:
    kind, _, text = query.get('target', '').partition('-')
    given = {kind: _number({kind: text}, kind, int, 0)} if text else {}
    if not {*given} <= {'box', 'category'}:
        raise UserError(f'target must be box-NUMBER or category-NUMBER, not {kind!r}')
    cam = result.cam(given.get('category'), given.get('box'))
    strongest = max(range(len(cam.layers)), key=lambda i: cam.layers[i].mean.sum())
    index = _index(query, 'level', len(cam.layers), strongest)
    return draw_gradcam(cam.layers[index], cam, result.served.preprocessor)


def _firing(result: Result, query: Query) -> Figure:
    if result.firing is None:
        raise UserError('the network has no spiking neurons')
    return firing_plots.draw_layers(result.firing)


def _energy(result: Result, query: Query) -> Figure:
    return draw_parts(result.energy, result.twin).figure


FIGURES: Mapping[str, Callable[[Result, Query], Figure]] = {
    'boxes': _boxes,
    'frames': _frames,
    'each_step': _each_step,
    'raster': _raster,
    'potentials': _potentials,
    'step_map': _step_map,
    'channel_maps': _channel_maps,
    'temporal': _temporal,
    'channel': _channel,
    'spatial': _spatial,
    'gate': _gate,
    'gradcam': _gradcam,
    'firing': _firing,
    'energy': _energy,
}


def render(name: str, result: Result, query: Query) -> bytes:
    """Return a picture of a result as a PNG.

    Args:
        name: A name in ``FIGURES``.
        result: The result.
        query: Choices of the visitor: ``score``, ``layer``, ``step``, ``target``,
            ``level``, ``gate``, ``steps``.

    Raises:
        UserError: If a choice is not valid for the result.
    """
    try:
        figure = FIGURES[name](result, query)
    except UserError:
        raise
    except ValueError as error:
        raise UserError(str(error)) from error
    buffer = BytesIO()
    with plot_style():
        figure.savefig(buffer, format='png')
    return buffer.getvalue()


def _number(query: Query, name: str, kind: Callable[[str], N], default: N) -> N:
    """Return a number of the query.

    Raises:
        UserError: If it is not a number.
    """
    text = query.get(name)
    if text is None:
        return default
    try:
        return kind(text)
    except ValueError as error:
        raise UserError(f'{name} must be a number, but got {text!r}') from error


def _index(query: Query, name: str, length: int, default: int = 0) -> int:
    index = _number(query, name, int, default) if query.get(name) else default
    if not length:
        raise UserError(f'there is no {name} in this model')
    if not 0 <= index < length:
        raise UserError(f'{name} must be from 0 to {length - 1}, but got {index}')
    return index


def _layer(result: Result, query: Query) -> str:
    layers = result.served.layers
    name = query.get('layer', layers[0] if layers else '')
    if name not in layers:
        raise UserError(f'{name!r} is not a layer of neurons of this model')
    return name


def _attention(result: Result) -> ImageAttention:
    if result.attention is None:
        raise UserError('the model has no attention')
    return result.attention
