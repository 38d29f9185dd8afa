"""Pictures of attention weights."""

import numpy as np
import pytest
from matplotlib import pyplot
from matplotlib.axes import Axes

from mmsnn.analysis.recorders.attention_recorder import DecoderAttention, GateAttention
from mmsnn.analysis.recorders.one_image import InputImage
from mmsnn.reporting import (
    draw_channel_attention,
    draw_gate,
    draw_spatial_attention,
    draw_temporal_attention,
)

IMAGE = InputImage(np.zeros((3, 32, 32), np.float32), 24, 32)


@pytest.fixture
def decoders() -> list[DecoderAttention]:
    rng = np.random.default_rng(0)
    return [
        DecoderAttention(f'neck.{i}', rng.random(4), rng.random(c), rng.random((s, s)))
        for i, (c, s) in enumerate([(8, 4), (16, 2)])
    ]


def title(axes: Axes) -> str:
    return axes.get_title('left') or axes.get_title()


def test_temporal(decoders: list[DecoderAttention]) -> None:
    axes = draw_temporal_attention(decoders).axes
    assert list(map(title, axes)) == ['level 1 (8 × 4 × 4)', 'level 2 (16 × 2 × 2)']
    for one, decoder in zip(axes, decoders, strict=True):
        assert [bar.get_height() for bar in one.patches] == decoder.temporal.tolist()
        assert one.get_ylim() == (0, 1)


def test_channel(decoders: list[DecoderAttention]) -> None:
    *axes, _ = draw_channel_attention(decoders).axes
    for i, decoder in enumerate(decoders):
        bars, strip = axes[i], axes[i + 2]
        heights = bars.patches[0].get_data().values
        assert heights.tolist() == sorted(decoder.channel, reverse=True)
        assert strip.images[0].get_array()[0].tolist() == decoder.channel.tolist()
        assert strip.images[0].get_clim() == (0, 1)


def test_spatial(decoders: list[DecoderAttention]) -> None:
    picture, *axes, _ = draw_spatial_attention(decoders, IMAGE).axes
    assert title(picture) == 'input' and len(axes) == 2
    every = np.concatenate([decoder.spatial.ravel() for decoder in decoders])
    for one, decoder in zip(axes, decoders, strict=True):
        drawn = one.images[-1]
        assert (drawn.get_array() == decoder.spatial).all()
        assert drawn.get_clim() == (every.min(), every.max())
        assert drawn.get_extent() == [0, 32, 32, 0]
        assert one.get_ylim() == (24, 0)


def test_gate() -> None:
    quantiles = np.array([[0.1, 0.2, 0.3, 0.4, 0.5], [0.5, 0.6, 0.7, 0.8, 0.9]])
    gate = GateAttention(
        'stem', np.array([-1.0, 2.0]), np.array([0.35, 0.65]), quantiles
    )
    figure = draw_gate(gate)
    scores, boxes = figure.axes
    assert [bar.get_height() for bar in scores.patches] == [-1, 2]
    for patch, row in zip(boxes.patches, quantiles, strict=True):
        corners = patch.get_path().vertices[:, 1]
        assert (corners.min(), corners.max()) == (row[1], row[3])
    heights = {y for line in boxes.lines for y in line.get_ydata()}
    assert heights >= {0.1, 0.3, 0.5, 0.7, 0.9, 0.35, 0.65}
    assert pyplot.get_fignums() == []
