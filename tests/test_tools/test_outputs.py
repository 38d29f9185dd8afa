"""Tools that write where nothing can be written: one line, before the work starts."""

from collections.abc import Callable
from pathlib import Path

import pytest

from .tiny_coco import ANN, SPIKING

Fail = Callable[..., str]
# Nobody can write in this file system, not even root.
NOWHERE = '/proc/self/mmsnn'
PREFIX = f'outfile_prefix={NOWHERE}/results'
ANALYSIS = 'analysis_tools'


@pytest.mark.parametrize(
    ('tool', 'args'),
    [
        ('train.py', [ANN, '--work-dir', NOWHERE]),
        ('test.py', [ANN, 'x.pth', '--work-dir', NOWHERE]),
        ('test.py', [ANN, 'x.pth', '--out', f'{NOWHERE}/x.pkl']),
        ('train.py', [ANN, *('--cfg-options', f'val_evaluator.{PREFIX}')]),
        ('test.py', [ANN, 'x.pth', *('--cfg-options', f'test_evaluator.{PREFIX}')]),
        ('demo.py', ['--work-dir', NOWHERE]),
        (f'{ANALYSIS}/analyze_logs.py', ['plot_curve', 'x', '--out', f'{NOWHERE}.png']),
        (f'{ANALYSIS}/benchmark.py', [SPIKING, '--work-dir', NOWHERE]),
        (f'{ANALYSIS}/browse_dataset.py', [SPIKING, '--output-dir', NOWHERE]),
        (f'{ANALYSIS}/coco_error_analysis.py', ['x.json', NOWHERE, '--ann', 'a.json']),
        (f'{ANALYSIS}/confusion_matrix.py', [SPIKING, 'x.pkl', NOWHERE]),
        (f'{ANALYSIS}/coding_dynamics.py', [SPIKING, '--out-dir', NOWHERE]),
        (f'{ANALYSIS}/energy.py', [SPIKING, '--out-dir', NOWHERE]),
        (f'{ANALYSIS}/firing_rate.py', [SPIKING, '--out-dir', NOWHERE]),
        (f'{ANALYSIS}/gradient_flow.py', [SPIKING, '--out-dir', NOWHERE]),
        (f'{ANALYSIS}/spikes.py', [SPIKING, '--out-dir', NOWHERE]),
        ('model_converters/resnet.py', [SPIKING, 'x.pth', f'{NOWHERE}/x.pth']),
    ],
)
def test_a_folder_that_cannot_be_written(
    fail_tool: Fail, coco_dir: Path, monkeypatch: pytest.MonkeyPatch, tool: str, args
) -> None:
    monkeypatch.chdir(coco_dir)
    line = fail_tool(tool, *args)
    assert NOWHERE in line
    assert 'nothing can be written there' in line


def test_a_data_set_that_cannot_be_written(fail_tool: Fail) -> None:
    line = fail_tool('dataset_tools/digits_detection.py', '--out-dir', NOWHERE)
    assert NOWHERE in line


def test_the_folder_of_the_frames_cannot_be_written(
    fail_tool: Fail, tmp_path: Path
) -> None:
    line = fail_tool(
        *('dataset_tools/events.py', 'cifar10_dvs', tmp_path, '--cache-dir', NOWHERE)
    )
    assert NOWHERE in line or str(tmp_path) in line


def test_a_disk_that_is_full_at_the_end(
    fail_tool: Fail, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / 'log.json').write_text('{"loss": 1, "iter": 1}\n{"loss": 2, "iter": 2}')
    (tmp_path / 'curve.png').symlink_to('/dev/full')
    line = fail_tool(
        *(f'{ANALYSIS}/analyze_logs.py', 'plot_curve', tmp_path / 'log.json'),
        *('--keys', 'loss', '--out', tmp_path / 'curve.png'),
    )
    assert 'No space left on device' in line
