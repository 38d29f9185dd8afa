"""tools/analysis_tools/firing_rate.py on narrow networks."""

from pathlib import Path

import pytest
import torch
from mmengine.config import Config
from mmengine.registry import DefaultScope
from test_configs.narrow import WIDTH

from mmsnn.analysis.firing.firing_rates import FiringRates
from mmsnn.analysis.model_inputs import InputSource, build_model, make_batches

from .reports import measure, write_narrow
from .tiny_coco import CONFIGS, DIRECT, Call

TOOL = 'firing_rate'
MS = CONFIGS / 'digits' / 'danet-a-r10-rate_1xb64-30e_digits.py'


def read(name: str, printed: str) -> list[str]:
    """Return the cells of a printed table's row."""
    (line,) = (ln for ln in printed.splitlines() if ln.startswith(f'{name} '))
    return line.split()


def test_report(call_tool: Call, folder: Path) -> None:
    config = write_narrow(folder, DIRECT, depth=18)
    checkpoint = folder / 'weights.pth'
    cfg = Config.fromfile(config)
    model = build_model(cfg, None)
    for name, parameter in model.named_parameters():
        if name.endswith('norm.bias'):
            torch.nn.init.constant_(parameter, 0.4)
    torch.save(model.state_dict(), checkpoint)
    options = ['--num-images', 5, '--batch-size', 2]
    found, (printed, _) = measure(call_tool, TOOL, config, checkpoint, *options)

    with DefaultScope.overwrite_default_scope('mmpretrain'):
        model = build_model(cfg, str(checkpoint))
        batches = make_batches(cfg, InputSource('dataset'), 5, 5)
        with FiringRates(model) as rates, torch.no_grad():
            for batch in batches:
                model.test_step(batch)
    firing = rates.result()
    data = found['data']
    assert data['num_images'] == firing.num_images == 5
    assert found['headline']['Neurons'].endswith('in 20 layers')
    assert data['firing_rate'] == pytest.approx(firing.firing_rate)
    assert data['image_firing_rates'] == pytest.approx(firing.image_firing_rates)
    assert 0.05 < firing.firing_rate < 0.95
    assert data['neurons'][0]['num_neurons'] == WIDTH * 8 * 8
    assert len(data['blocks']) == 8

    for neurons in firing.neurons:
        short = neurons.name.removeprefix('backbone.').removesuffix('.neuron')
        assert f'{neurons.firing_rate:.4f}' in read(short, printed)
    assert f'{firing.firing_rate:.4f}' in read('all', printed)
    for block in firing.blocks:
        cells = read(block.name.removeprefix('backbone.'), printed)
        # beside each other: what was measured, and what is expected
        assert cells.count(f'{block.output_mean:.4f}') == 2
        assert cells[1:3] == ['Add', 'yes' if block.downsamples else 'no']
    files = {path.name for path in Path('out').iterdir()}
    pictures = {'layers.png', 'steps.png', 'blocks.png'}
    assert files == {'report.json', 'report.html'} | pictures


def test_batch_statistics_wake_an_untrained_network(
    call_tool: Call, folder: Path
) -> None:
    config = write_narrow(folder, MS)
    options = [config, '--random', 16, '--num-images', 2, '--batch-size', 2]
    asleep, _ = measure(call_tool, TOOL, *options)
    awake, printed = measure(call_tool, TOOL, *options, '--batch-stats')
    assert awake['data']['firing_rate'] > 0.1
    assert asleep['data']['firing_rate'] != awake['data']['firing_rate']
    assert any('--batch-stats' in note for note in asleep['assumptions'])
    assert any('batch of up to 2 images' in note for note in awake['assumptions'])
    # blocks that exchange analog values
    assert any('no firing rate' in note for note in awake['assumptions'])
    assert 'Residual blocks' not in printed.out
    assert not Path('out/blocks.png').exists()


def test_many_steps_fit_the_table(call_tool: Call, folder: Path) -> None:
    config = write_narrow(folder, DIRECT, num_steps=9)
    cfg = Config.fromfile(config)
    cfg.model.neck[0].num_steps = 9
    cfg.dump(config)
    options = [config, '--random', 16, '--num-images', 1, '--batch-stats']
    found, printed = measure(call_tool, TOOL, *options)
    assert len(found['data']['neurons'][0]['step_firing_rates']) == 9
    assert 't = 1' not in printed.out
