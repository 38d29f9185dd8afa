"""tools/analysis_tools/coding_dynamics.py on narrow networks."""

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
from .tiny_coco import DIRECT, GATED, Call

TOOL = 'coding_dynamics'


def test_report(call_tool: Call, folder: Path) -> None:
    config = write_narrow(folder, GATED)
    checkpoint = folder / 'weights.pth'
    model = build_model(Config.fromfile(config))
    torch.nn.init.constant_(model.backbone.stem.encode.norm.bias, 0.6)
    torch.save(model.state_dict(), checkpoint)
    options = ['--num-images', 5, '--batch-size', 2, '--compare', '--channels', 2]
    found, printed = measure(call_tool, TOOL, config, checkpoint, *options)
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

    assert 'Steps of backbone.stem (direct)' in printed.out
    for encoder in (gated, direct):
        assert any(
            line.startswith(encoder['name'] + ' ')
            and encoder['coding'] in line
            and f'{sum(encoder["entropy_bits"]):.3f}' in line
            for line in printed.out.splitlines()
        )
    files = {path.name for path in Path('out').iterdir()}
    pictures = {'entropy.png', 'durations.png', 'outputs_0.png', 'outputs_1.png'}
    assert files == {'report.json', 'report.html'} | pictures


def test_few_samples_are_said(call_tool: Call, folder: Path) -> None:
    stem = dict(type='RateStem', kernel_size=3, stride=1, pool=False)
    preprocessor = Config.fromfile(DIRECT).model.data_preprocessor
    stem.update(mean=preprocessor.mean, std=preprocessor.std)
    cfg = write_narrow(folder, DIRECT, stem=stem, num_steps=16)
    text = cfg.read_text(encoding='utf-8').replace('num_steps=4', 'num_steps=16')
    cfg.write_text(text, encoding='utf-8')
    options = ['--num-images', 1, '--channels', 1]
    _, printed = measure(call_tool, TOOL, cfg, *options)
    assert 'of the positions have a unique history' in printed.out
    assert 'untrained' in printed.out


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
