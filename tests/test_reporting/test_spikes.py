"""Pictures of spikes, and of the image that a network saw."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from matplotlib import pyplot
from matplotlib.colors import to_rgba
from mmengine.config import Config
from mmengine.registry import MODELS
from PIL import Image
from test_tools.tiny_coco import CONFIGS

from mmsnn.analysis.model_inputs import make_file_batches
from mmsnn.analysis.predictions import Detections
from mmsnn.analysis.recorders.one_image import InputImage
from mmsnn.analysis.recorders.spike_recorder import LayerSpikes, PotentialTrace
from mmsnn.reporting import (
    draw_event_frames,
    draw_firing_maps,
    draw_potentials,
    draw_raster,
    picture_settings,
    restore_image,
)
from mmsnn.utils.config_types import preprocessor_settings

T, C, H, W = 4, 6, 5, 4
MEAN, STD = [10.0, 20.0, 30.0], [2.0, 4.0, 5.0]


@pytest.fixture(autouse=True)
def _no_pyplot() -> Iterator[None]:
    yield
    assert pyplot.get_fignums() == []


def make_layer(shape: tuple[int, ...] = (T, C, H, W)) -> LayerSpikes:
    """A layer whose channel 4 fires most, and one neuron's potential."""
    spikes = np.random.default_rng(0).random(shape) < 0.2
    spikes[:, 4] = True
    potentials, fired = (0.5, 1.25, -0.5, 1.0), (False, True, False, True)
    trace = PotentialTrace((0, 1, 2), potentials, fired, 1.0, 0.0, 0.0)
    return LayerSpikes('a.b', spikes, (trace,))


def make_image(channels: int = 3) -> InputImage:
    """An input whose last 8 rows and 6 columns are padding."""
    values = np.random.default_rng(1).random((channels, 40, 32), dtype=np.float32)
    return InputImage(values, 32, 26)


def test_raster() -> None:
    layer = make_layer()
    raster, rates, counts = draw_raster(layer).axes
    flat = layer.spikes.reshape(T, -1)
    assert (raster.images[0].get_array() == flat.T).all()
    assert f'({C * H * W} of {C * H * W} neurons)' in raster.get_ylabel()
    assert [bar.get_height() for bar in rates.patches] == flat.mean(1).tolist()
    shares = [bar.get_width() for bar in counts.patches]
    assert shares == pytest.approx(
        [100 * (flat.sum(0) == n).mean() for n in range(T + 1)]
    )


def test_raster_of_few_neurons() -> None:
    layer = make_layer()
    raster = draw_raster(layer, max_neurons=C).axes[0]
    rows = raster.images[0].get_array()
    assert rows.shape == (C, T)
    flat = layer.spikes.reshape(T, -1)
    assert (rows[0] == flat[:, 0]).all() and (rows[-1] == flat[:, -1]).all()
    # the numbers of the channels stand at their first rows
    labels = [label.get_text() for label in raster.get_yticklabels()]
    assert labels == [str(channel) for channel in range(C)]
    assert raster.get_yticks().tolist() == [channel + 0.5 for channel in range(C)]


def test_silent_layer() -> None:
    layer = LayerSpikes('quiet', np.zeros((T, C, H, W), bool), ())
    _, rates, counts = draw_raster(layer).axes
    assert rates.get_ylim() == (0, 1.1)
    assert counts.patches[0].get_width() == 100
    draw_firing_maps(layer, make_image()).canvas.draw()


def test_potentials() -> None:
    (axes,) = draw_potentials(make_layer()).axes
    threshold, line, before, after = axes.lines
    assert set(threshold.get_ydata()) == {1.0}
    # from rest, to each potential and, at a spike, down to the reset
    assert line.get_xdata().tolist() == [0, 1, 1, 2, 2, 3, 3, 4, 4]
    assert line.get_ydata().tolist() == [0, 0.5, 0.5, 1.25, 0, -0.5, -0.5, 1, 0]
    assert before.get_ydata().tolist() == [0.5, 1.25, -0.5, 1.0]
    assert after.get_xdata().tolist() == [2, 4]
    ticks = [path.vertices for path in axes.collections[0].get_paths()]
    assert [tick[0, 0] for tick in ticks] == [2, 4]
    assert min(tick[:, 1].min() for tick in ticks) > 1.25
    title = axes.get_title('left') or axes.get_title()
    assert title == 'channel 0, row 1, column 2: fires at 2 of 4 steps'


def test_firing_maps() -> None:
    layer, image = make_layer(), make_image()
    figure = draw_firing_maps(layer, image, num_channels=3)
    maps = {}
    for axes in figure.axes:
        title = axes.get_title('left') or axes.get_title()
        if axes.images:
            maps[title] = axes
    busiest = np.argsort(-layer.spikes.mean((0, 2, 3)), kind='stable')[:3]
    assert list(maps) == ['input', f'mean of {C} channels', *map(str, busiest)]
    rates = layer.spikes.mean(0)
    for channel in busiest:
        drawn = maps[str(channel)].images[-1]
        assert (drawn.get_array() == rates[channel]).all()
        assert drawn.get_clim() == (0, 1)
    grey, mean = maps[f'mean of {C} channels'].images
    assert (mean.get_array() == rates.mean(0)).all()
    assert mean.get_alpha() < 1
    # the maps are of the padded input, of which the picture alone is shown
    assert grey.get_extent() == [0, 26, 32, 0]
    assert mean.get_extent() == [0, 32, 40, 0]
    for axes in maps.values():
        assert axes.get_xlim() == (0, 26) and axes.get_ylim() == (32, 0)


def test_firing_maps_of_integer_neurons() -> None:
    spikes = np.full((T, C, H, W), 3, np.int16)
    figure = draw_firing_maps(LayerSpikes('a.b', spikes, ()), make_image())
    limits = {axes.images[-1].get_clim() for axes in figure.axes[2:] if axes.images}
    assert limits == {(0, 3)}


def test_neurons_without_places() -> None:
    assert draw_raster(make_layer((T, C))).axes[0].get_ylabel().startswith('neuron')


@pytest.mark.parametrize('order', ['bgr_to_rgb', 'to_rgb', None, 'loads_rgb'])
def test_restores_the_image(order: str | None) -> None:
    picture = np.random.default_rng(2).integers(0, 256, (32, 26, 3), dtype=np.uint8)
    seen = picture if order else picture[..., ::-1]
    values = np.zeros((3, 40, 32))
    values[:, :32, :26] = ((seen - np.array(MEAN)) / np.array(STD)).transpose(2, 0, 1)
    cfg = dict(mean=MEAN, std=STD) | ({order: True} if order else {})
    image = InputImage(values.astype(np.float32), 32, 26)
    assert (restore_image(image, cfg) == picture).all()


def test_red_stays_red_in_every_config(tmp_path: Path) -> None:
    """Images of CIFAR are RGB in memory; files are loaded as BGR."""
    for name in (
        'cifar10/sg-r10-asd_1xb32-amp-200e_cifar10.py',
        'spiking_retinanet/spiking-retinanet_sg-r10-asd_fpn_1xb8-8e_digits.py',
        'imagenet/sg-r18-asd_8xb32-amp-320e_imagenet.py',
    ):
        cfg = Config.fromfile(CONFIGS / name)
        Image.new('RGB', (64, 64), (200, 10, 60)).save(tmp_path / 'red.png')
        (batch,) = make_file_batches(cfg, [tmp_path / 'red.png'])
        settings = {**preprocessor_settings(cfg)}
        settings.setdefault('type', 'mmpretrain.ClsDataPreprocessor')
        inputs = MODELS.build(settings)(batch)['inputs'][0].numpy()
        image = InputImage(inputs, *inputs.shape[1:])
        pixels = restore_image(image, picture_settings(cfg))
        assert np.abs(pixels.astype(int) - (200, 10, 60)).max() <= 1, name


def test_restores_grey_frames_and_raw_values() -> None:
    values = np.full((1, 4, 4), 0.5, np.float32)
    image = InputImage(values, 4, 4)
    pixels = restore_image(image, dict(mean=[70.0], std=[60.0]))
    assert pixels.shape == (4, 4, 3) and (pixels == 100).all()
    frames = np.stack([np.full((1, 2, 2), 100.0), np.full((1, 2, 2), 320.0)])
    # no normalisation; their mean
    assert (restore_image(InputImage(frames, 2, 2)) == 210).all()
    assert (restore_image(InputImage(2 * frames, 2, 2)) == 255).all()


def test_events() -> None:
    frames = np.zeros((T, 2, 1, 3), np.float32)
    frames[:, 0, 0, 0] = 2  # OFF
    frames[1, 1, 0, 1] = 8  # ON
    off, on, none = restore_image(InputImage(frames, 1, 3))[0].astype(int)
    assert off[2] > off[0] and on[0] > on[2]
    assert none.tolist() == [255] * 3
    # as many in all, as strong a colour
    assert off[0] < 64 and on[1] < 64
    assert restore_image(InputImage(np.zeros_like(frames), 1, 3)).min() == 255
    # two bins of two polarities
    bins = np.concatenate([frames, frames], 1)
    assert restore_image(InputImage(bins, 1, 3))[0].tolist() == [
        pixel.tolist() for pixel in (off, on, none)
    ]


def test_bins_of_events_are_summed() -> None:
    frames = np.zeros((1, 4, 1, 2), np.float32)  # OFF and ON of two bins
    frames[0, 0, 0, 0] = frames[0, 2, 0, 0] = frames[0, 3, 0, 1] = 1
    off, on = restore_image(InputImage(frames, 1, 2))[0].astype(int)
    assert off[2] > off[0] and on[0] > on[2]


def test_event_frames_have_one_scale_and_the_boxes() -> None:
    frames = np.zeros((3, 2, 4, 8), np.float32)
    frames[0, 1, 0, 0], frames[2, 1, 0, 0] = 4, 1
    boxes = Detections(
        np.array([[1, 1, 4, 3], [0, 0, 8, 4]]), np.array([0.9, 0.2]), np.array([3, 1])
    )
    axes = draw_event_frames(InputImage(frames, 4, 8), boxes).axes
    assert [one.get_title(loc='left') for one in axes] == ['t = 1', 't = 2', 't = 3']
    first, none, last = (one.images[0].get_array()[0, 0].tolist() for one in axes)
    assert none == [255] * 3 and first[1] < last[1] < 255
    assert [len(one.patches) for one in axes] == [1, 1, 1]


def test_style_is_left_as_it_was() -> None:
    before = dict(pyplot.rcParams)
    draw_raster(make_layer())
    assert dict(pyplot.rcParams) == before
    figure = draw_potentials(make_layer())
    assert figure.get_facecolor() == to_rgba('white')
