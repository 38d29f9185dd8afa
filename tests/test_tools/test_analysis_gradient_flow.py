"""tools/analysis_tools/gradient_flow.py on narrow networks."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from . import reports
from .reports import write_narrow
from .tiny_coco import ANN, CONFIGS

TOOL = 'analysis_tools/gradient_flow.py'
DIGITS = CONFIGS / 'digits' / 'sew-add-r10-rate_1xb64-30e_digits.py'
DETECTOR = (
    CONFIGS
    / 'spiking_retinanet'
    / 'spiking-retinanet_sew-add-r18-asd_fpn_8xb2-amp-72e_coco.py'
)
Call = Callable[..., None]


@pytest.fixture
def measure(
    call_tool: Call, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> Callable[..., tuple[dict[str, Any], str]]:
    """Run the tool on a narrow classifier; return the report and the text."""

    def run(*args: object, **backbone: object) -> tuple[dict[str, Any], str]:
        config = write_narrow(tmp_path, DIGITS, **{'depth': 18, **backbone})
        report = reports.measure(call_tool, TOOL, tmp_path, config, *args)
        return report, capsys.readouterr().out

    return run


def test_report(measure: Callable[..., tuple], tmp_path: Path) -> None:
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
        assert (tmp_path / 'out' / f'{name}.png').stat().st_size > 5_000
    page = (tmp_path / 'out' / 'report.html').read_text('utf-8')
    assert 'backbone.stages.3.1' in page.replace('<wbr>', '')


def test_noise_has_a_random_projection(measure: Callable[..., tuple]) -> None:
    args = ('--random', '--num-images', 4, '--batch-size', 4)
    (first, text), (again, _) = measure(*args, depth=10), measure(*args, depth=10)
    assert not first['data']['by_loss']
    assert 'random projection' in text
    assert first['data'] == again['data']


def test_zero_gradients_are_flagged(measure: Callable[..., tuple]) -> None:
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
def test_a_detector_by_its_loss(
    call_tool: Call,
    coco_dir: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(coco_dir)
    call_tool(
        TOOL, DETECTOR, '--num-images', 2, '--batch-size', 2, '--out-dir', tmp_path,
        '--cfg-options', 'test_dataloader.dataset.pipeline.1.scale=(96,64)',
        'model.backbone.init_cfg=None',
    )  # fmt: skip
    data = json.loads((tmp_path / 'report.json').read_text('utf-8'))['data']
    assert data['by_loss']
    norms = [block['norm'] for block in data['gradients']['blocks']]
    assert len(norms) == 8 and all(norms[2:])


def test_what_is_refused(fail_tool: Callable[..., str]) -> None:
    line = fail_tool(TOOL, ANN, '--random', 32, '--num-images', 1)
    assert 'RetinaNet has no spiking neurons' in line and str(ANN) in line


@pytest.mark.parametrize(
    ('tool', 'options'),
    [(TOOL, []), ('analysis_tools/firing_rate.py', ['--batch-stats'])],
)
def test_norms_of_one_value_are_named(
    tool: str, options: list[str], fail_tool: Callable[..., str], tmp_path: Path
) -> None:
    """One step, one image of 32 pixels: the last stage is of one pixel."""
    name = 'danet-a-r18-t1_8xb32-amp-120e_imagenet.py'
    config = write_narrow(tmp_path, CONFIGS / 'imagenet' / name)
    line = fail_tool(tool, config, '--random', 32, '--num-images', 1, *options)
    assert "norm 'backbone.stages.3.0.branch.0.norm'" in line
    assert 'at least 2 images per batch (--batch-size' in line
