"""tools/analysis_tools/spikes.py on narrow networks."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from mmengine.config import Config
from PIL import Image
from test_configs.narrow import narrow

from .tiny_coco import ANN, CONFIGS, SPIKING

TOOL = 'analysis_tools/spikes.py'
ATTENTIVE = CONFIGS / 'digits' / 'sg-r10-asd_1xb64-30e_digits.py'
GATED = CONFIGS / 'digits' / 'gac-ms-r10-rate_1xb64-30e_digits.py'
EVENTS = CONFIGS / 'dvs128_gesture' / 'sew-add-7b_1xb16-amp-192e_dvs128-gesture.py'
KINDS = ('raster', 'potentials', 'maps')
Call = Callable[..., None]
Fail = Callable[..., str]


def write(folder: Path, path: Path) -> Path:
    """Write a narrow version of a config."""
    cfg = Config.fromfile(path)
    narrow(cfg)
    cfg.dump(folder / path.name)
    return folder / path.name


def draw(call_tool: Call, folder: Path, *args: object) -> tuple[dict, set[str]]:
    """Return the report's content, and the names of its pictures."""
    out = folder / 'out'
    call_tool(TOOL, *args, '--out-dir', out)
    assert (out / 'report.html').is_file()
    content = json.loads((out / 'report.json').read_text(encoding='utf-8'))
    return content['data']['images'], {path.stem for path in out.glob('*.png')}


def test_classifier(
    call_tool: Call, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config = write(tmp_path, ATTENTIVE)
    layer = 'backbone.stages.1.0.branch.0.neuron'
    options = ['--layer', layer, '--neuron', 2, 3, 1, '--neuron', 0, 0, 0]
    (image,), pictures = draw(call_tool, tmp_path, config, *options)
    assert [one['name'] for one in image['layers']] == [layer]
    neurons = [trace['neuron'] for trace in image['layers'][0]['traces']]
    assert neurons == [[2, 3, 1], [0, 0, 0]]
    assert len(image['decoders']) == 1 and image['gates'] == []
    attention = {f'attention_{kind}' for kind in ('temporal', 'channel', 'spatial')}
    assert pictures == {f'{layer}_{kind}' for kind in KINDS} | attention
    printed, progress = capsys.readouterr()
    assert 'Running the model, 0 of 1 images done' in progress
    rate = image['layers'][0]['firing_rate']
    assert any(layer in x and f'{rate:.4f}' in x for x in printed.splitlines())


def test_gated_stem_and_several_images(call_tool: Call, tmp_path: Path) -> None:
    config = write(tmp_path, GATED)
    options = ['--layer', 'backbone.stem', '--num-images', 2, '--batch-size', 2]
    images, pictures = draw(call_tool, tmp_path, config, *options)
    assert len({image['layers'][0]['firing_rate'] for image in images}) == 2
    assert len(images[0]['gates'][0]['temporal']) == 4
    stems = {f'backbone.stem.neuron_{kind}' for kind in KINDS} | {'backbone.stem_gate'}
    assert pictures == {f'image{i}_{stem}' for i in (1, 2) for stem in stems}


def test_detector_on_a_folder(call_tool: Call, tmp_path: Path) -> None:
    (tmp_path / 'images').mkdir()
    Image.new('RGB', (60, 40), 'red').save(tmp_path / 'images' / 'a.png')
    small = ['--cfg-options', 'test_dataloader.dataset.pipeline.1.scale=(96,64)']
    options = ['--layer', 'backbone.stem', '--images', tmp_path / 'images', *small]
    (image,), pictures = draw(call_tool, tmp_path, SPIKING, *options)
    assert len(image['decoders']) == 3
    assert len(pictures) == 6


def test_event_frames(call_tool: Call, tmp_path: Path) -> None:
    """Without --layer, the first and the last layer of neurons."""
    options = ['--random', '--traces', 2]
    (image,), pictures = draw(call_tool, tmp_path, EVENTS, *options)
    names = [layer['name'] for layer in image['layers']]
    assert len(names) == 2 and names[0] == 'backbone.stem.neuron'
    assert 'decoders' not in image
    assert len(image['layers'][0]['firing_rate_per_step']) == 16
    assert len(image['layers'][0]['traces']) == 2
    assert pictures == {f'{name}_{kind}' for name in names for kind in KINDS}


def test_list_layers(call_tool: Call, capsys: pytest.CaptureFixture[str]) -> None:
    """Needs no data."""
    call_tool(TOOL, SPIKING, '--list-layers')
    printed = capsys.readouterr().out.splitlines()
    lines = [line.split() for line in printed if line.startswith('backbone.')]
    assert lines[0] == ['backbone.stem.neuron', 'IF']
    assert ['backbone.stages.3.1.branch.1.neuron', 'IF'] in lines


def test_mistakes(fail_tool: Fail, tmp_path: Path) -> None:
    config = write(tmp_path, ATTENTIVE)
    message = fail_tool(TOOL, config, '--layer', 'backbone.stem.neurons')
    assert "begins with 'backbone.stem.neurons'; close to it are" in message
    assert "'backbone.stem.neuron'" in message
    message = fail_tool(TOOL, config, '--layer', 'backbone.stem', '--neuron', 1, 2)
    assert 'indices below (16, 8, 8), but got (1, 2)' in message
    assert 'traces' in fail_tool(TOOL, config, '--traces', 0)
    for options in ([], ['--list-layers']):
        message = fail_tool(TOOL, ANN, '--random', 64, *options)
        assert 'RetinaNet has no spiking neurons' in message
