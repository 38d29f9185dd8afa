"""tools/analysis_tools/coding_dynamics.py on narrow networks."""

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from mmengine.config import Config
from test_configs.narrow import WIDTH

from mmsnn.analysis.coding.coding_dynamics import CodingDynamics
from mmsnn.analysis.model_inputs import build_model
from mmsnn.models import MSResNet, SGResNet
from mmsnn.reporting.coding_plots import (
    choose_channels,
    draw_durations,
    draw_entropy,
    draw_outputs,
)

from .reports import measure, write_narrow
from .tiny_coco import ANN, CONFIGS

TOOL = 'analysis_tools/coding_dynamics.py'
GATED = CONFIGS / 'digits' / 'gac-ms-r10-rate_1xb64-30e_digits.py'
DIRECT = CONFIGS / 'digits' / 'sew-add-r10-rate_1xb64-30e_digits.py'
Call = Callable[..., None]


def test_report(
    call_tool: Call, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config = write_narrow(tmp_path, GATED)
    checkpoint = tmp_path / 'weights.pth'
    model = build_model(Config.fromfile(config))
    torch.nn.init.constant_(model.backbone.stem.encode.norm.bias, 0.6)
    torch.save(model.state_dict(), checkpoint)
    options = ['--num-images', 5, '--batch-size', 2, '--compare', '--channels', 2]
    found = measure(call_tool, TOOL, tmp_path, config, checkpoint, *options)
    gated, direct = found['data']['encoders']
    assert found['facts']['Checkpoint'] == str(checkpoint)
    assert (gated['name'], gated['coding']) == ('backbone.stem', 'GatedAttentionStem')
    assert direct['name'] == 'backbone.stem (direct)'
    assert gated['num_images'] == direct['num_images'] == 5
    # the test images' 8 x 8 pixels
    assert gated['num_positions'] == 5 * WIDTH * 8 * 8
    assert gated['firing_rate'] == direct['firing_rate']
    assert 0.1 < gated['firing_rate'][-1] < 0.9
    assert sum(gated['entropy_bits']) > sum(direct['entropy_bits'])
    for encoder in (gated, direct):
        fires = (1 - encoder['silent_share']) * encoder['num_positions']
        assert sum(encoder['durations']) == pytest.approx(fires)

    printed = capsys.readouterr().out
    assert 'Steps of backbone.stem (direct)' in printed
    for encoder in (gated, direct):
        assert any(
            line.startswith(encoder['name'] + ' ')
            and encoder['coding'] in line
            and f'{sum(encoder["entropy_bits"]):.3f}' in line
            for line in printed.splitlines()
        )
    files = {path.name for path in (tmp_path / 'out').iterdir()}
    pictures = {'entropy.png', 'durations.png', 'outputs_0.png', 'outputs_1.png'}
    assert files == {'report.json', 'report.html'} | pictures


def test_few_samples_are_said(
    call_tool: Call, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    stem = dict(type='RateStem', kernel_size=3, stride=1, pool=False)
    preprocessor = Config.fromfile(DIRECT).model.data_preprocessor
    stem.update(mean=preprocessor.mean, std=preprocessor.std)
    cfg = write_narrow(tmp_path, DIRECT, stem=stem, num_steps=16)
    text = cfg.read_text(encoding='utf-8').replace('num_steps=4', 'num_steps=16')
    cfg.write_text(text, encoding='utf-8')
    measure(call_tool, TOOL, tmp_path, cfg, '--num-images', 1, '--channels', 1)
    printed = capsys.readouterr().out
    assert 'of the positions are alone with their history' in printed
    assert 'untrained' in printed


def test_mistakes(fail_tool: Callable[..., str], tmp_path: Path) -> None:
    gated, direct = write_narrow(tmp_path, GATED), write_narrow(tmp_path, DIRECT)
    assert fail_tool(TOOL, ANN, '--random', 64) == (
        f"config '{ANN}': RetinaNet has no spiking backbone (a module derived from "
        'mmsnn.models.backbones.base.SpikingBackbone), and so no encoder'
    )
    assert 'are compared with direct coding of the same weights' in fail_tool(
        TOOL, direct, '--compare', '--random'
    )
    assert 'levels must be 1 to 255, but got 0' in fail_tool(
        TOOL, gated, '--levels', 0, '--random'
    )
    assert fail_tool(TOOL, gated, '--channels', 0) == (
        '--channels must be at least 1, but got 0'
    )
    rate = dict(type='RateStem', kernel_size=3, stride=1, pool=False)
    assert fail_tool(
        TOOL, write_narrow(tmp_path, DIRECT, stem=rate), '--random'
    ).startswith(
        'the images do not pass the model (backbone.stem, RateStem): RateStem needs '
        'intensities in [0, 1]'
    )


def seen(backbone: torch.nn.Module, compare: bool) -> CodingDynamics:
    torch.nn.init.constant_(backbone.stem.encode.norm.bias, 0.6)
    with CodingDynamics(backbone, compare=compare) as collector, torch.no_grad():
        backbone(torch.randn(2, 3, 12, 16))
    return collector


def test_pictures_show_the_numbers() -> None:
    network = MSResNet(18, stem='gac-cifar', num_steps=5, base_channels=8)
    collector = seen(network, compare=True)
    encoders = collector.result().encoders
    axes = draw_entropy(encoders).axes
    for line, encoder in zip(axes[0].lines, encoders, strict=True):
        assert line.get_xdata().tolist() == [1, 2, 3, 4, 5]
        assert tuple(line.get_ydata()) == encoder.entropy_bits
    assert axes[2].lines[0].get_xdata().tolist() == [2, 3, 4, 5]

    exact, observed = draw_durations(encoders).axes
    for axis, field in ((exact, 'durations'), (observed, 'observed_durations')):
        for bars, encoder in zip(axis.containers, encoders, strict=True):
            heights = [bar.get_height() * encoder.num_positions for bar in bars]
            *counts, silent = heights
            assert counts[-5:] == pytest.approx(getattr(encoder, field)[-5:])
            assert silent == pytest.approx(encoder.silent_share * encoder.num_positions)
    assert [x.get_text() for x in exact.get_xticklabels()] == [*'012345', 'silent']

    output = collector.examples['stem']
    chosen = choose_channels(output, 3)
    spread = output.mean(0).flatten(1).std(1, correction=0)
    assert spread[chosen].min() >= spread.sort(descending=True).values[2]
    *maps, bar = draw_outputs(output, chosen).axes
    assert len(maps) == 3 * 5
    for index, axis in enumerate(maps):
        shown = torch.as_tensor(axis.images[0].get_array())
        assert torch.equal(shown, output[index % 5, chosen[index // 5]])
    assert [axis.get_title() for axis in maps[:5]] == [f'step {i}' for i in range(1, 6)]
    assert maps[5].get_title() == ''
    assert bar.get_ylim() == (0, 1)


def test_pictures_of_currents_and_of_one_step() -> None:
    currents = seen(MSResNet(18, stem='cifar', num_steps=2, base_channels=8), False)
    output = currents.examples['stem']
    *_, bar = draw_outputs(output, [0, 1]).axes
    low, high = bar.get_ylim()
    assert low == pytest.approx(output[:, :2].min().item())
    assert high == pytest.approx(output[:, :2].max().item())
    single = seen(SGResNet(10, stem='cifar', num_steps=1, base_channels=8), False)
    (encoder,) = single.result().encoders
    draw_entropy([encoder])
    draw_durations([encoder])
    assert choose_channels(single.examples['stem'], 99) == list(range(8))
