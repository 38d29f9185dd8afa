"""Texts of a result: headline, tables, choices and JSON."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from mmsnn.analysis import ClassScores, CountingRules, Detections
from mmsnn.reporting.energy_report import costs_table, part_table
from mmsnn.reporting.firing_report import neuron_table
from mmsnn.reporting.json_encoding import to_plain
from mmsnn.reporting.report import Column, Table
from mmsnn.utils.errors import UserError
from mmsnn.version import __version__

from .results import Result

MAX_TARGETS = 10
"""Maximum numbers of boxes and classes to choose from for Grad-CAM."""

NAMED_SCORE = (Column('class'), Column('score', format='.3f', bar=True))


def headline(result: Result) -> dict[str, str]:
    """Return the most important numbers, by name."""
    energy, twin = (x.total.energy_pj for x in (result.energy, result.twin))
    found = {'Prediction': f'{1000 * result.seconds:.0f} ms'}
    if (window := _window(result)) is not None:
        begin, end = (1e-6 * t for t in window)
        found['Part of the recording'] = f'{begin:.3f} to {end:.3f} s'
    if result.firing is not None:
        rate = result.firing.firing_rate
        found['Spikes per neuron per time step'] = f'{rate:.3f}'
    found['Energy'] = f'{energy / 1e6:.4g} µJ'
    found['Without spikes'] = f'{twin / 1e6:.4g} µJ'
    found['Times less energy'] = f'{twin / energy:.2f}'
    return found


def _window(result: Result) -> tuple[int, int] | None:
    """Return begin and end of the events in microseconds, None if there are none."""
    (sample,) = result.batch['data_samples']
    found: tuple[int, int] | None = sample.metainfo.get('window')
    return found


def prediction_table(result: Result) -> Table:
    """Return the boxes, or the classes with the highest scores."""
    if isinstance(result.prediction, ClassScores):
        scores = result.prediction.scores
        rows = tuple(
            (name_of(result, i), scores[i]) for i in np.argsort(-scores)[:MAX_TARGETS]
        )
        return Table('Classes', NAMED_SCORE, rows)
    found = result.prediction
    boxes = tuple(
        (name_of(result, label), score, *box)
        for box, score, label in zip(
            found.boxes, found.scores, found.labels, strict=True
        )
    )
    sides = (Column(side, 'px', '.0f') for side in ('x1', 'y1', 'x2', 'y2'))
    return Table('Boxes', (*NAMED_SCORE, *sides), boxes)


def name_of(result: Result, label: int) -> str:
    """Return the name of a class, or its label."""
    classes = result.served.classes
    return str(label) if classes is None else classes[label]


def targets(result: Result) -> list[tuple[str, str]]:
    """Return the choices for Grad-CAM: values of ``target``, and their texts."""
    found = result.prediction
    if isinstance(found, ClassScores):
        return [
            (f'category-{i}', f'{name_of(result, i)}, score {found.scores[i]:.2f}')
            for i in np.argsort(-found.scores)[:MAX_TARGETS]
        ]
    return [*_box_targets(result, found), *_class_targets(result, found)]


def _box_targets(result: Result, found: Detections) -> Sequence[tuple[str, str]]:
    pairs = list(zip(found.labels, found.scores, strict=True))[:MAX_TARGETS]
    return [
        (f'box-{i}', f'box {i + 1}: {name_of(result, label)}, score {score:.2f}')
        for i, (label, score) in enumerate(pairs)
    ]


def _class_targets(result: Result, found: Detections) -> Sequence[tuple[str, str]]:
    # in the order of the best box of each class
    labels = list(dict.fromkeys(found.labels.tolist()))[:MAX_TARGETS]
    return [
        (f'category-{label}', f'class {name_of(result, label)}: all its boxes')
        for label in labels
    ]


def levels(result: Result) -> list[str]:
    """Return the names of the backbone's outputs; none if nothing is explained."""
    try:
        return [layer.name for layer in result.cam(None, None).layers]
    except UserError:
        return []


def firing_table(result: Result) -> Table | None:
    """Return the firing rates of the layers; None if the network does not spike."""
    return None if result.firing is None else neuron_table(result.firing)


def energy_tables(result: Result) -> tuple[Table, Table]:
    """Return the energy by parts, and with other energy models."""
    parts = part_table(result.energy, result.twin)
    return parts, costs_table(result.operations, CountingRules())


def to_data(result: Result) -> dict[str, Any]:
    """Return everything that was measured, as JSON types."""
    found = result.prediction
    scores = isinstance(found, ClassScores)
    return to_plain(
        dict(
            mmsnn=__version__,
            config=result.served.config,
            checkpoint=result.served.checkpoint,
            classes=result.served.classes,
            input_height=result.image.height,
            input_width=result.image.width,
            seconds=result.seconds,
            scores=found.scores if scores else None,
            boxes=None if scores else found,
            window_us=_window(result),
            each_step=result.each_step,
            firing=result.firing,
            attention=result.attention
            and dict(decoders=result.attention.decoders, gates=result.attention.gates),
            energy=result.energy,
            energy_total=result.energy.total,
            energy_without_spikes=result.twin.total,
            assumptions=result.energy.assumptions,
        )
    )
