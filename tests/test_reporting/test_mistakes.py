"""Mistakes of callers: what is said of each."""

# ruff: noqa: E501 - a row is a line

from collections.abc import Callable

import numpy as np
import pytest
from matplotlib.figure import Figure
from mistakes import check_mistake

from mmsnn.analysis.recorders.one_image import InputImage
from mmsnn.analysis.recorders.spike_recorder import LayerSpikes
from mmsnn.reporting import (
    draw_channel_attention,
    draw_event_frames,
    draw_firing_maps,
    draw_potentials,
    draw_raster,
    draw_spatial_attention,
    draw_temporal_attention,
    restore_image,
)
from mmsnn.reporting.report import Column, Picture, Report, Table, to_plain


def layer(*shape: int) -> LayerSpikes:
    return LayerSpikes('a.b', np.zeros(shape, bool), ())


SPIKES = layer(4, 6, 5, 4)


def image(channels: int) -> InputImage:
    return InputImage(np.zeros((channels, 8, 8), np.float32), 8, 8)


def pictures(*names: str) -> Report:
    return Report('x', {}, pictures=[Picture(name, '', Figure()) for name in names])


NONE = 'ValueError: ... no attention spike decoder'
# What is called, and what its error says; what lies between is at the dots.
MISTAKES: list[tuple[Callable[[], object], str]] = [
    (lambda: draw_raster(SPIKES, max_neurons=0), 'ValueError: max_neurons'),
    (lambda: draw_potentials(SPIKES), "ValueError: ... 'a.b' has no traces"),
    (lambda: draw_firing_maps(layer(4, 6), image(3)), "ValueError: ... [T, C, H, W], but 'a.b' has [4, 6]"),
    (lambda: restore_image(image(5)), 'ValueError: ... but the input has 5'),
    (lambda: draw_event_frames(image(3)), 'ValueError: ... but the input has [3, '),
    (lambda: draw_temporal_attention([]), NONE),
    (lambda: draw_channel_attention([]), NONE),
    (lambda: draw_spatial_attention([], image(3)), NONE),
    (lambda: Table('x', (Column('a'), Column('b')), ((1,),)), 'ValueError: ... 2 columns, but a row has 1 values'),
    (lambda: pictures('a', 'a'), 'ValueError: ... must be unique'),
    (lambda: pictures('html'), 'ValueError: ... must be unique'),
    (lambda: to_plain([object()]), 'TypeError: object cannot be converted to JSON'),
]  # fmt: skip


@pytest.mark.parametrize(('mistake', 'expected'), MISTAKES)
def test_mistake(mistake: Callable[[], object], expected: str) -> None:
    check_mistake(mistake, expected)
