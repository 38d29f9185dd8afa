"""``mmsnn doctor``: each problem is found and has its remedy."""

import os
import sys
from argparse import Namespace
from collections.abc import Callable

import pytest
import torch

from mmsnn.cli import doctor
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
        doctor.main(Namespace())
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


def test_nothing_to_do(monkeypatch: Patch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(doctor, 'examine', lambda: [doctor.Finding('mmsnn', '1.0')])
    doctor.main(Namespace())
    assert capsys.readouterr().out == 'mmsnn  1.0\n'
