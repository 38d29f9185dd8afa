"""``mmsnn doctor``: each problem is found and has its remedy."""

import os
import sys
from argparse import Namespace
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from mmengine.config import Config
from test_configs.narrow import narrow

from mmsnn.cli import doctor
from mmsnn.cli.main import main
from mmsnn.deploy.export.exporters import EXPORTERS, Exporter, Verdict
from mmsnn.ops import build
from mmsnn.utils import cpu

Patch = pytest.MonkeyPatch


def findings() -> dict[str, doctor.Finding]:
    return {finding.part: finding for finding in doctor.examine()}


def test_every_part_is_named() -> None:
    found = findings()
    packages = ['torch', 'mmengine', 'mmcv', 'mmdet', 'spikingjelly', 'mmpretrain']
    parts = ['compiler', 'operators', 'gpu', 'threads', 'processor']
    assert {'mmsnn', 'python', *packages, *parts} <= found.keys()
    assert found['torch'].found == torch.__version__.partition('+')[0]
    assert not any(found[name].broken for name in packages)


def without_a_package(patch: Patch) -> None:
    patch.setattr(doctor, 'find_problem', lambda d: f'{d.module}: pip install x')


def with_an_old_python(patch: Patch) -> None:
    patch.setattr(sys, 'version_info', (3, 9, 0))


def without_operators(patch: Patch) -> None:
    patch.setenv(build.SWITCH, '0')


def with_a_broken_compiler(patch: Patch) -> None:
    def fail() -> None:
        raise build.CompilerError('exit code 1')

    patch.setattr(build, 'compiled', fail)


def with_a_gpu_unseen(patch: Patch) -> None:
    patch.setattr(torch.cuda, 'is_available', lambda: False)
    patch.setattr(doctor.shutil, 'which', lambda name: f'/bin/{name}')


def with_too_many_threads(patch: Patch) -> None:
    patch.setattr(os, 'sched_getaffinity', lambda pid: {0, 1})
    patch.setattr(torch, 'get_num_threads', lambda: 8)


@pytest.mark.parametrize(
    ('spoil', 'part', 'advice'),
    [
        (without_a_package, 'mmdet', 'mmdet: pip install x'),
        (with_an_old_python, 'python', '3.11 to 3.13'),
        (without_operators, 'operators', build.SWITCH),
        (with_a_broken_compiler, 'operators', 'CXX'),
        (with_a_gpu_unseen, 'gpu', 'build of PyTorch'),
        (with_too_many_threads, 'threads', 'OMP_NUM_THREADS=2'),
    ],
)
def test_problem(
    spoil: Callable[[Patch], None],
    part: str,
    advice: str,
    monkeypatch: Patch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    spoil(monkeypatch)
    with pytest.raises(SystemExit) as end:
        doctor.main(Namespace(config=None))
    assert end.value.code == 1
    printed = capsys.readouterr().out
    (line,) = [x for x in printed.splitlines() if x.startswith(f'- {part}: ')]
    assert advice in line


def test_no_compiler_but_operators(monkeypatch: Patch) -> None:
    """The operators may have been compiled before: that is no fault."""
    monkeypatch.setenv('CXX', '/none/c++')
    monkeypatch.setattr(build, 'compiled', lambda: '/cache/spikes.so')
    found = findings()
    assert '/none/c++' in found['compiler'].found
    assert 'CXX' in found['compiler'].advice
    assert not found['compiler'].broken
    assert not found['operators'].advice


def test_without_torch(monkeypatch: Patch) -> None:
    monkeypatch.setitem(sys.modules, 'torch', None)
    found = findings()
    assert found['gpu'].found.startswith('unknown: ')
    assert found['threads'].found.startswith('unknown: ')


@pytest.mark.parametrize('able', [False, True])
def test_bf16(able: bool, monkeypatch: Patch) -> None:
    monkeypatch.setattr(cpu, 'has_accelerator', lambda: False)
    monkeypatch.setattr(cpu, 'multiplies_bf16', lambda: able)
    assert ('no instructions' in findings()['processor'].found) is not able


@pytest.fixture
def examine(
    tmp_path: Path, monkeypatch: Patch, capsys: pytest.CaptureFixture[str]
) -> Callable[..., str]:
    """Call ``mmsnn doctor`` with a narrow digits classifier; return what it prints."""

    def run(config: str, **backbone: object) -> str:
        cfg = Config.fromfile(Path(__file__).parents[2] / 'configs/digits' / config)
        narrow(cfg)
        cfg.model.backbone.update(backbone)
        cfg.dump(tmp_path / 'config.py')
        arguments = ['mmsnn', 'doctor', str(tmp_path / 'config.py')]
        monkeypatch.setattr(sys, 'argv', arguments)
        main()
        return capsys.readouterr().out

    return run


def rows(printed: str) -> dict[str, list[str]]:
    """Return the cells of each row by its first cell."""
    lines = [line for line in printed.splitlines() if line.startswith('│')]
    cells = [[cell.strip() for cell in line.strip('│').split('│')] for line in lines]
    return {first: others for first, *others in cells}


def test_layers_and_exporters_of_a_config(examine: Callable[..., str]) -> None:
    pytest.importorskip('nir')
    printed = examine('sew-add-r10-rate_1xb64-30e_digits.py', depth=18)
    found = rows(printed)
    stem, *_ = (found[name] for name in found if name.endswith('stem.encode.conv'))
    # 8 x 8 outputs, 3 channels, 16 kernels of 3 x 3
    assert stem == ['encoder', 'analog values', 'multiplications', '27.65 k']
    first, second = (
        found[f'backbone.stages.0.{i}.branch.0.conv'][1:3] for i in range(2)
    )
    assert first == ['spikes', 'accumulations']
    assert second == ['sums of spikes', 'accumulations']
    assert found['head.fc'][1:3] == ['analog values', 'multiplications']
    fed = sum(row[1] == 'spikes' for row in found.values())
    multiply = sum(row[2:3] == ['multiplications'] for row in found.values())
    assert f'{fed} of {len(found) - len(EXPORTERS)} layers' in printed
    assert f'; {multiply} multiply' in printed
    for name in ('onnx', 'onnx-step', 'torch', 'nir'):
        assert found[f'mmsnn export {name}'][0] == 'all'


def test_rate_coding_in_exporters(examine: Callable[..., str]) -> None:
    """As in the table of the export guide."""
    stem = dict(type='RateStem', mean=[77.8] * 3, std=[95.9] * 3, pool=False)
    printed = examine('sg-r10-asd_1xb64-30e_digits.py', stem=stem)
    found = rows(printed)
    for name in ('onnx', 'onnx-step'):
        takes, reason = found[f'mmsnn export {name}']
        assert takes == 'nothing' and 'RateStem' in reason
    assert found['mmsnn export torch'][0] == 'all'


def test_reasons_and_other_exporters(
    examine: Callable[..., str], monkeypatch: Patch
) -> None:
    pytest.importorskip('nir')
    monkeypatch.delitem(EXPORTERS, 'torch')
    refused = Exporter(lambda *given: Verdict('neck', ('no head',)))
    EXPORTERS.register('torch', refused)
    found = rows(examine('sg-r10-asd_1xb64-30e_digits.py'))
    takes, reason = found['mmsnn export nir']
    assert takes == 'nothing'
    assert 'merge' in reason
    assert found['mmsnn export torch'] == ['neck', 'no head']
    monkeypatch.setitem(sys.modules, 'nir', None)
    found = rows(examine('danet-a-r10-rate_1xb64-30e_digits.py'))
    assert 'nir' in found['mmsnn export nir'][1]


def test_nothing_to_do(monkeypatch: Patch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(doctor, 'examine', lambda: [doctor.Finding('mmsnn', '1.0')])
    doctor.main(Namespace(config=None))
    assert capsys.readouterr().out == 'mmsnn  1.0\n'
