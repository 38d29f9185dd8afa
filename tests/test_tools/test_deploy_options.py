"""tools/test.py with norms folded and the backbone in bf16."""

import json
from pathlib import Path

import pytest

from mmsnn.cli import test
from mmsnn.cli.common import deploy_options
from mmsnn.cli.common.parser import Parser, set_up
from mmsnn.utils import cpu

from .test_options import save_weights
from .tiny_coco import ANN, SMALL, SPIKING, Call, Fail


def read(folder: Path) -> dict[str, float]:
    content = json.loads((folder / 'coco_columns.json').read_text())
    return content['tables']['coco']['columns']


def test_folded_and_in_bf16(call_tool: Call, in_coco: Path, tmp_path: Path) -> None:
    save_weights(SPIKING, tmp_path / 'x.pth')
    call_tool(
        *('test.py', SPIKING, tmp_path / 'x.pth', '--work-dir', tmp_path),
        *('--tta', '--fold-norms', '--force-bf16'),
        *('--cfg-options', *SMALL, 'model.test_cfg.score_thr=0.0'),
    )
    assert read(tmp_path)['mAP'] >= 0
    (log,) = tmp_path.glob('*/*.log')
    # of a ResNet18: the stem's, 16 of the branches and 3 projections
    said = 'Testing with 20 norms folded into convolutions, the backbone in bf16'
    assert said in log.read_text()


def test_bf16_of_an_ann(fail_tool: Fail, in_coco: Path, tmp_path: Path) -> None:
    save_weights(ANN, tmp_path / 'x.pth')
    line = fail_tool(
        *('test.py', ANN, tmp_path / 'x.pth', '--work-dir', tmp_path, '--force-bf16'),
        *('--cfg-options', *SMALL),
    )
    assert line == 'bf16 and int8 need a backbone of mmsnn, but the model has ResNet'


def test_weights_of_8_bits(
    call_tool: Call, fail_tool: Fail, in_coco: Path, tmp_path: Path
) -> None:
    """It folds the norms itself, says what it converts, and excludes bf16."""
    save_weights(SPIKING, tmp_path / 'x.pth')
    command = ('test.py', SPIKING, tmp_path / 'x.pth', '--work-dir', tmp_path)
    options = ('--cfg-options', *SMALL, 'model.test_cfg.score_thr=0.0')
    call_tool(*command, '--int8', *options)
    assert read(tmp_path)['mAP'] >= 0
    (log,) = tmp_path.glob('*/*.log')
    said = 'Testing with 20 norms folded into convolutions, the backbone in int8'
    assert said in log.read_text()
    line = fail_tool(*command, '--int8', '--bf16', *options)
    assert line == '--int8 and --bf16 exclude each other'


@pytest.mark.parametrize(
    ('flags', 'options', 'expected'),
    [
        ('flags : fma avx2', ['--bf16'], False),
        ('flags : fma avx2', ['--force-bf16'], True),
        ('flags : fma avx512_bf16', ['--bf16'], True),
        ('Features : asimd bf16', ['--bf16'], True),
        ('flags : fma avx512_bf16', [], False),
    ],
)
def test_bf16_needs_a_processor_that_multiplies_it(
    flags: str,
    options: list[str],
    expected: bool,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(cpu, 'has_accelerator', lambda: False)
    monkeypatch.setattr(cpu.Path, 'read_text', lambda *_, **__: f'model\n{flags}\n')
    cpu.multiplies_bf16.cache_clear()
    args = set_up(Parser(), test).parse_args(['config', 'checkpoint', *options])
    try:
        assert deploy_options.deploy_settings(args)[1] is expected
    finally:
        cpu.multiplies_bf16.cache_clear()
    noted = 'no instructions for bf16' in capsys.readouterr().err
    assert noted is (options == ['--bf16'] and not expected)
