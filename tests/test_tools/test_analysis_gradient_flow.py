"""tools/analysis_tools/gradient_flow.py on narrow networks."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from . import reports
from .tiny_coco import CONFIGS, DIRECT, Call

TOOL = 'gradient_flow'
DETECTOR = (
    CONFIGS
    / 'spiking_retinanet'
    / 'spiking-retinanet_sew-add-r18-asd_fpn_8xb2-amp-72e_coco.py'
)
Measure = Callable[..., tuple[dict[str, Any], str]]


@pytest.fixture
def measure(call_tool: Call, folder: Path) -> Measure:
    """Run the tool on a narrow classifier; return the report and the text."""

    def run(*args: object, **backbone: object) -> tuple[dict[str, Any], str]:
        config = reports.write_narrow(folder, DIRECT, **{'depth': 18, **backbone})
        report, printed = reports.measure(call_tool, TOOL, config, *args)
        return report, printed.out

    return run


def test_report(measure: Measure) -> None:
    report, text = measure('--num-images', 6, '--batch-size', 3, '--weights')
    data = report['data']
    assert data['by_loss'] and len(data['losses']) == 2
    blocks = data['gradients']['blocks']
    names = [f'backbone.stages.{i}.{j}' for i in range(4) for j in range(2)]
    assert [block['name'] for block in blocks] == names
    assert all(block['norm'] > 0 and block['passes'] == 2 for block in blocks)
    assert data['gain'] > 0
    layers = data['gradients']['layers']
    assert layers[-1]['name'] == 'head.fc' and layers[-1]['norm'] > 0
    neurons = data['stability']['neurons']
    # of the stem, of 16 convolutions and of 3 shortcuts that change the width
    assert len(neurons) == 20
    assert sum(not neuron['on_main_path'] for neuron in neurons) == 3
    assert all(len(neuron['step_amplitudes']) == 4 for neuron in neurons)
    for part in (*names, 'backbone.stem.neuron', 'head.fc', "config's loss"):
        assert part in text
    assert 'ZERO' not in text
    for name in ('gradient_norms', 'gradient_stability', 'weight_gradients'):
        assert Path('out', f'{name}.png').stat().st_size > 5_000
    page = Path('out/report.html').read_text('utf-8')
    assert 'backbone.stages.3.1' in page.replace('<wbr>', '')


def test_noise_has_a_random_projection(measure: Measure) -> None:
    args = ('--random', '--num-images', 4, '--batch-size', 4)
    (first, text), (again, _) = measure(*args, depth=10), measure(*args, depth=10)
    assert not first['data']['by_loss']
    assert 'random projection' in text
    assert first['data'] == again['data']


def test_zero_gradients_are_flagged(measure: Measure) -> None:
    # AND's blocks fall silent; frozen ones have no gradient at all
    report, text = measure(
        '--num-images', 4, '--batch-size', 4, connect='AND', depth=34, frozen_stages=1
    )
    norms = {b['name']: b['norm'] for b in report['data']['gradients']['blocks']}
    zero = [name for name, norm in norms.items() if norm == 0]
    assert zero
    assert f'{len(zero)} with gradients that are zero: {", ".join(zero)}' in text
    assert norms['backbone.stages.0.0'] is None
    assert 'that no gradient reaches (frozen, or not used by the loss)' in text


@pytest.mark.slow
def test_a_detector_by_its_loss(call_tool: Call, in_coco: Path, tmp_path: Path) -> None:
    call_tool(
        TOOL, DETECTOR, '--num-images', 2, '--batch-size', 2, '--out-dir', tmp_path,
        '--cfg-options', 'test_dataloader.dataset.pipeline.1.scale=(96,64)',
        'model.backbone.init_cfg=None',
    )  # fmt: skip
    data = json.loads((tmp_path / 'report.json').read_text('utf-8'))['data']
    assert data['by_loss']
    norms = [block['norm'] for block in data['gradients']['blocks']]
    assert len(norms) == 8 and all(norms[2:])
