"""tools/analysis_tools/spikes.py on narrow networks."""

from pathlib import Path

import pytest
from PIL import Image

from .reports import measure, write_narrow
from .tiny_coco import ATTENTIVE, CONFIGS, GATED, SPIKING, Call, Printed

EVENTS = CONFIGS / 'dvs128_gesture' / 'sew-add-7b_1xb16-amp-192e_dvs128-gesture.py'
KINDS = ('raster', 'potentials', 'maps')
pytestmark = pytest.mark.usefixtures('folder')


def draw(call_tool: Call, *args: object) -> tuple[list, set[str], Printed]:
    """Return what is reported of images, the names of the pictures, and the output."""
    report, printed = measure(call_tool, 'spikes', *args)
    pictures = {path.stem for path in Path('out').glob('*.png')}
    return report['data']['images'], pictures, printed


def test_classifier(call_tool: Call, folder: Path) -> None:
    config = write_narrow(folder, ATTENTIVE)
    layer = 'backbone.stages.1.0.branch.0.neuron'
    options = ['--layer', layer, '--neuron', 2, 3, 1, '--neuron', 0, 0, 0]
    (image,), pictures, (printed, progress) = draw(call_tool, config, *options)
    assert [one['name'] for one in image['layers']] == [layer]
    neurons = [trace['neuron'] for trace in image['layers'][0]['traces']]
    assert neurons == [[2, 3, 1], [0, 0, 0]]
    assert len(image['decoders']) == 1 and image['gates'] == []
    attention = {f'attention_{kind}' for kind in ('temporal', 'channel', 'spatial')}
    assert pictures == {f'{layer}_{kind}' for kind in KINDS} | attention
    assert 'Running the model, 0 of 1 images done' in progress
    rate = image['layers'][0]['firing_rate']
    assert any(layer in x and f'{rate:.4f}' in x for x in printed.splitlines())


def test_gated_stem_and_several_images(call_tool: Call, folder: Path) -> None:
    config = write_narrow(folder, GATED)
    options = ['--layer', 'backbone.stem', '--num-images', 2, '--batch-size', 2]
    images, pictures, _ = draw(call_tool, config, *options)
    assert len({image['layers'][0]['firing_rate'] for image in images}) == 2
    assert len(images[0]['gates'][0]['temporal']) == 4
    stems = {f'backbone.stem.neuron_{kind}' for kind in KINDS} | {'backbone.stem_gate'}
    assert pictures == {f'image{i}_{stem}' for i in (1, 2) for stem in stems}


def test_detector_on_a_folder(call_tool: Call, folder: Path) -> None:
    (folder / 'images').mkdir()
    Image.new('RGB', (60, 40), 'red').save(folder / 'images' / 'a.png')
    small = ['--cfg-options', 'test_dataloader.dataset.pipeline.1.scale=(96,64)']
    options = ['--layer', 'backbone.stem', '--images', folder / 'images', *small]
    (image,), pictures, _ = draw(call_tool, SPIKING, *options)
    assert len(image['decoders']) == 3
    assert len(pictures) == 6


@pytest.mark.slow
def test_event_frames(call_tool: Call, folder: Path) -> None:
    """Without --layer, the first and the last layer of neurons."""
    options = ['--random', '--traces', 2]
    (image,), pictures, _ = draw(call_tool, EVENTS, *options)
    names = [layer['name'] for layer in image['layers']]
    assert len(names) == 2 and names[0] == 'backbone.stem.neuron'
    assert 'decoders' not in image
    assert len(image['layers'][0]['firing_rate_per_step']) == 16
    assert len(image['layers'][0]['traces']) == 2
    assert pictures == {f'{name}_{kind}' for name in names for kind in KINDS}


def test_list_layers(call_tool: Call) -> None:
    """Needs no data."""
    printed = call_tool('spikes', SPIKING, '--list-layers').out.splitlines()
    lines = [line.split() for line in printed if line.startswith('backbone.')]
    assert lines[0] == ['backbone.stem.neuron', 'IF']
    assert ['backbone.stages.3.1.branch.1.neuron', 'IF'] in lines
