"""tools/test.py with norms folded and the backbone in bf16."""

from pathlib import Path

import pytest

from mmsnn.cli import test
from mmsnn.cli.common import deploy_options
from mmsnn.cli.common.parser import Parser, set_up
from mmsnn.utils import cpu

from .reports import columns_of, save_weights
from .tiny_coco import ANN, DETECT, NARROW, SMALL, SPIKING, Call, Fail


@pytest.mark.parametrize(
    ('options', 'form'),
    [(['--tta', '--fold-norms', '--force-bf16'], 'bf16'), (['--int8'], 'int8')],
)
def test_forms(
    options: list[str],
    form: str,
    call_tool: Call,
    in_coco: Path,
    tmp_path: Path,
) -> None:
    """The log says what is converted; int8 folds the norms itself."""
    save_weights(SPIKING, tmp_path / 'x.pth', NARROW)
    command = ('test.py', SPIKING, tmp_path / 'x.pth', '--work-dir', tmp_path)
    call_tool(*command, *options, '--cfg-options', *NARROW, DETECT)
    assert columns_of(tmp_path)['mAP'] >= 0
    (log,) = tmp_path.glob('*/*.log')
    # of a ResNet18: the stem's, 16 of the branches and 3 projections
    said = f'Testing with 20 norms folded into convolutions, the backbone in {form}'
    assert said in log.read_text()


@pytest.mark.parametrize(
    ('config', 'options', 'expected'),
    [
        (
            ANN,
            ['--force-bf16'],
            'need a backbone of mmsnn, but the model has ResNet',
        ),
        (SPIKING, ['--int8', '--bf16'], '--int8 and --bf16 exclude each other'),
    ],
)
def test_forms_that_are_refused(
    config: Path,
    options: list[str],
    expected: str,
    fail_tool: Fail,
    in_coco: Path,
    tmp_path: Path,
) -> None:
    changes = NARROW if config == SPIKING else SMALL
    save_weights(config, tmp_path / 'x.pth', changes)
    command = ('test.py', config, tmp_path / 'x.pth', '--work-dir', tmp_path)
    assert expected in fail_tool(*command, *options, '--cfg-options', *changes)


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
