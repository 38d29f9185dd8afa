"""tools/analysis_tools/energy.py on narrow networks and noise."""

from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from mmengine.config import Config

from mmsnn.analysis import OperationCounter, Operations
from mmsnn.analysis.energy.operations import ImageOperations, Synaptic
from mmsnn.analysis.model_inputs import build_model

from .reports import measure, write_narrow
from .tiny_coco import ANN, ATTENTIVE, CONFIGS, DETECTOR, Call

TOOL = 'energy'
WHOLE = CONFIGS / (
    'whole_spiking_retinanet/'
    'whole-spiking-retinanet_pa-a-s-r10-ilif_fpn_1xb8-8e_digits.py'
)


@pytest.fixture
def config(folder: Path) -> Path:
    """A narrow digits classifier."""
    return write_narrow(folder, ATTENTIVE)


def test_report_of_a_checkpoint(call_tool: Call, config: Path) -> None:
    """Numbers agree between text, JSON and what the library says."""
    checkpoint = config.with_name('weights.pth')
    model = build_model(Config.fromfile(config))
    torch.nn.init.constant_(model.backbone.stem.encode.norm.bias, 0.6)
    torch.save(model.state_dict(), checkpoint)
    options = ['--num-images', 3]
    found, printed = measure(call_tool, TOOL, config, checkpoint, *options)
    data = found['data']
    total = data['total']
    assert total['accumulations'] > 0
    assert total['energy_pj'] == pytest.approx(
        3.1 * total['macs'] + 0.1 * total['accumulations']
    )
    assert data['without_spikes']['accumulations'] == 0
    assert data['without_spikes']['macs'] > total['macs']
    assert data['operations']['num_images'] == 3
    assert data['memory']['weights_bytes'] > 0
    assert found['facts']['Checkpoint'] == str(checkpoint)
    shown = printed.out
    assert f'{total["energy_pj"]:.3e}' in shown
    for text in ('Assumptions', '3.1 pJ per MAC', 'Eq. 19', 'norms: folded', 'Memory'):
        assert text in shown
    for name in ('report.json', 'report.html', 'parts.png', 'layers.png'):
        assert Path('out', name).stat().st_size > 1000
    html = Path('out/report.html').read_text(encoding='utf-8')
    html = html.replace('<wbr>', '')
    assert 'http://' not in html.replace('http://www.w3.org', '')
    assert 'backbone.stages.0.0.branch.0.conv' in html


def test_options_change_what_they_say(call_tool: Call, config: Path) -> None:
    """Costs and rules of the command line reach the estimate."""

    def total(*options: object) -> dict:
        one = ['--random', '--num-images', 1]
        return measure(call_tool, TOOL, config, *one, *options)[0]['data']

    base = total()
    own = total('--mac-pj', 2, '--ac-pj', 1)['total']
    assert own['energy_pj'] == pytest.approx(2 * own['macs'] + own['accumulations'])
    gac = total('--costs', 'GAC')['total']['energy_pj']
    assert gac == pytest.approx(
        4.6 * base['total']['macs'] + 0.9 * base['total']['accumulations']
    )
    more = total('--neuron-updates', '--norms', '--spikes', 'exact')
    assert more['total']['macs'] > base['total']['macs']
    rules = more['estimate']['rules']
    assert (rules['spikes'], rules['norms']) == ('exact', True)
    assert rules['neuron_updates'] is True
    less = total('--no-projections', '--no-products', '--integer', 'mac')
    assert less['without_spikes']['macs'] < base['without_spikes']['macs']
    assert less['estimate']['rules']['integer'] == 'mac'


def test_a_detector_on_a_folder(call_tool: Call, folder: Path) -> None:
    """Neck and head are reported beside the backbone."""
    cv2.imwrite('a.png', np.full((64, 64, 3), 128, np.uint8))
    found, printed = measure(call_tool, TOOL, DETECTOR, '--images', folder)
    parts = {layer['part'] for layer in found['data']['estimate']['layers']}
    assert parts == {'encoder', 'backbone', 'decoder', 'neck', 'bbox_head'}
    assert 'untrained' in found['facts']['Checkpoint']
    assert 'only 1 images' in printed.err


def test_an_ordinary_detector_is_said_to_be_one(call_tool: Call, folder: Path) -> None:
    """Without spikes every layer multiplies, and nothing is saved."""
    options = ['--random', 64, '--num-images', 1]
    found, printed = measure(call_tool, TOOL, ANN, *options)
    assert found['data']['total']['accumulations'] == 0
    assert found['headline']['Times less'] == '1.00'
    assert 'no spiking neurons' in printed.err


def test_no_energy(
    call_tool: Call, config: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Only layers without input spikes: no ratio is reported."""
    result = OperationCounter.result

    def silent(counter: OperationCounter) -> Operations:
        operations = result(counter)
        images = (ImageOperations(binary=Synaptic(1.0)),)
        layers = (replace(layer, images=images) for layer in operations.layers)
        return replace(operations, layers=tuple(layers))

    monkeypatch.setattr(OperationCounter, 'result', silent)
    found, _ = measure(call_tool, TOOL, config, '--random', '--num-images', 1)
    assert found['data']['total']['energy_pj'] == 0
    assert found['headline']['Times less'] == '-'


def test_a_whole_detector_spikes(call_tool: Call, folder: Path) -> None:
    """Neck and head accumulate; in the hybrid detector they multiply."""
    for config, multiplies in ((WHOLE, False), (DETECTOR, True)):
        options = ['--random', 64, '--num-images', 1]
        found, printed = measure(call_tool, TOOL, config, *options)
        layers = found['data']['estimate']['layers']
        for part in ('neck', 'bbox_head'):
            for count in ('macs', 'accumulations'):
                expected = (count == 'macs') == multiplies
                spent = sum(x[count] for x in layers if x['part'] == part)
                assert bool(spent) == expected, (part, count)
        said = 'Multiplying in both: neck, bbox_head' in printed.out
        assert said == multiplies
