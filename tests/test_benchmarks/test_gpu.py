"""benchmarks/gpu.py, as far as it goes without a GPU."""

import importlib
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest
import torch

BENCHMARKS = Path(__file__).resolve().parents[2] / 'benchmarks'


@pytest.fixture
def gpu(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.syspath_prepend(BENCHMARKS)
    return importlib.import_module('gpu')


@pytest.fixture
def cases(gpu: ModuleType) -> ModuleType:
    return importlib.import_module('_gpu_cases')


def test_without_a_device(
    gpu: ModuleType, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> None:
    monkeypatch.setattr('sys.argv', ['gpu.py', '--threads', '1'])
    monkeypatch.setattr(torch.cuda, 'is_available', lambda: False)
    with pytest.raises(gpu.UserError, match='needs a CUDA device'):
        gpu.main()
    assert capsys.readouterr().out == ''


def make_result(**others: Any) -> dict[str, Any]:
    case = {'median_ms': 0.25, 'p5_ms': 0.2, 'p95_ms': 12.34}
    ratio = {'ratio': 0.5, 'ratio_of_pairs': 0.6, 'p5': 0.4, 'p95': 1.5}
    return {
        'command': 'python benchmarks/gpu.py --pairs 1',
        'card': 'Some Card',
        'capability': '8.0',
        'memory_gib': 79.1,
        'cuda': '12.8',
        'versions': {'torch': '2.10.0'},
        'sections': {
            'neurons': {
                'cases': {'IF, mmsnn': case},
                'ratios': [{'case': 'A', 'base': 'B', **ratio}],
            }
        },
        'peak_mib': {'mmsnn, fp32': 1234.56},
        'left_out': {},
        **others,
    }


def test_report_has_all_numbers(gpu: ModuleType) -> None:
    lines = gpu.report(make_result()).splitlines()
    assert lines[0] == '`python benchmarks/gpu.py --pairs 1`'
    assert lines[2] == (
        'Some Card, 79.1 GiB, compute capability 8.0, CUDA 12.8; torch 2.10.0'
    )
    assert '| IF, mmsnn | 0.250 | 0.200 to 12.3 |' in lines
    assert '| A / B | 0.500 | 0.600 | 0.400 to 1.500 |' in lines
    assert '| mmsnn, fp32 | 1234.6 |' in lines


def test_report_says_what_is_left_out(gpu: ModuleType) -> None:
    result = make_result(
        sections={'inference': {'cases': {}, 'ratios': []}},
        peak_mib={},
        left_out={'torchvision, ResNet18': "No module named 'torchvision'"},
    )
    report = gpu.report(result)
    assert '|' not in report
    assert report.endswith(
        "Left out: torchvision, ResNet18 (No module named 'torchvision')"
    )


def test_missing_packages_are_left_out(cases: ModuleType) -> None:
    def missing() -> None:
        raise ModuleNotFoundError("No module named 'x'")

    left_out: dict[str, str] = {}
    built = cases.try_all({'A': missing, 'B': lambda: 1}, left_out)
    assert built == {'B': 1}
    assert left_out == {'A': "No module named 'x'"}


def test_networks_are_compared_with_those_that_are_there(cases: ModuleType) -> None:
    calls = []
    names = (cases.MMSNN, cases.SPIKINGJELLY)
    found = {name: SimpleNamespace(name=name) for name in names}
    section = cases.network_section(found, lambda net, bf16: calls.append((net, bf16)))
    assert section.pairs == [
        (f'{cases.MMSNN}, {precision}', f'{cases.SPIKINGJELLY}, {precision}')
        for precision in ('fp32', 'bf16')
    ]
    section.cases[f'{cases.MMSNN}, bf16']()
    assert calls == [(found[cases.MMSNN], True)]


def test_the_loop_is_the_neuron(cases: ModuleType) -> None:
    """What is compared gives the same spikes and gradients."""
    dynamics = cases.Dynamics(1.0, 0.0, True, cases.ArcTangent())
    x_seq = torch.randn(4, 50).requires_grad_()
    weights = torch.randn(4, 50)
    for decay in (None, 0.5):
        loop, neuron = (
            cases.loop(x_seq, decay),
            cases.ops.multi_step(x_seq, decay, dynamics),
        )
        assert torch.equal(loop, neuron)
        grads = [torch.autograd.grad(s, x_seq, weights)[0] for s in (loop, neuron)]
        torch.testing.assert_close(*grads)
