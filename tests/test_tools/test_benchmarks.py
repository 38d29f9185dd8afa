"""benchmarks: what they count is exact, what they save is whole."""

import json
import runpy
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from docs_tools import load_tool
from torch import nn

from .tiny_coco import TOOLS, Call

BENCHMARKS = TOOLS.parent / 'benchmarks'


@pytest.fixture
def load(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], SimpleNamespace]:
    """Run a module of the benchmarks, by name; return its functions."""
    monkeypatch.syspath_prepend(BENCHMARKS)
    return lambda name: SimpleNamespace(**runpy.run_path(f'{BENCHMARKS}/{name}.py'))


@pytest.fixture
def save(call_tool: Call, tmp_path: Path) -> Callable[..., dict[str, Any]]:
    """Run a benchmark in one round; return what it saved."""

    def run(name: str, *options: Any) -> dict[str, Any]:
        path = tmp_path / 'out' / f'{name}.json'
        threads = torch.get_num_threads()
        arguments = ('--pairs', 1, '--threads', 1, '--json', path, *options)
        try:
            call_tool(f'../benchmarks/{name}.py', *arguments)
        finally:
            torch.set_num_threads(threads)
        return json.loads(path.read_text(encoding='utf-8'))

    return run


def test_turns_alternate(load: Callable) -> None:
    calls: list[str] = []
    cases = {name: lambda name=name: calls.append(name) for name in 'ABC'}
    times = load('_pairs').take_turns(cases, pairs=3, warm_up=1)
    assert ''.join(calls) == 'ABC' + 'ABC' + 'CBA' + 'ABC'
    assert [len(times[name]) for name in 'ABC'] == [3, 3, 3]


def test_ratios_by_hand(load: Callable) -> None:
    pairs = load('_pairs')
    times = {'new': [1.0, 2.0, 9.0], 'old': [2.0, 1.0, 3.0]}
    found = pairs.compare(times, 'new', 'old')
    assert (found['case'], found['base']) == ('new', 'old')
    assert found['ratio'] == 1.0
    assert found['ratio_of_pairs'] == 2.0
    assert found['p5'] == pytest.approx(0.5 + 0.1 * 1.5)
    assert found['p95'] == pytest.approx(2 + 0.9 * 1)
    assert pairs.describe(times)['new']['median_ms'] == 2000
    assert pairs.quantile([4.0], 0.95) == 4.0


def test_held_bytes_by_hand(load: Callable) -> None:
    """Each storage once and whole; no parameters; nothing under a checkpoint."""
    held_bytes = load('_held').held_bytes
    x = torch.randn(5, 7, requires_grad=True)
    size = 5 * 7 * 4
    assert held_bytes(lambda: x.exp(), [x]) == size
    # the product saves x twice, and x is known; a view of it is no new storage
    assert held_bytes(lambda: x * x, [x]) == 0
    assert held_bytes(lambda: x[:2] * x[2:4], []) == size
    layer = nn.Linear(7, 3)
    assert held_bytes(lambda: layer(x), layer.parameters()) == size
    checkpoint = torch.utils.checkpoint.checkpoint
    deep = nn.Sequential(nn.Sigmoid(), nn.Tanh(), nn.Sigmoid())
    assert held_bytes(lambda: deep(x), [x]) == 3 * size
    assert held_bytes(lambda: checkpoint(deep, x, use_reentrant=False), [x]) == 0
    # what hooks inside make of a tensor is what is held
    with_hooks = torch.autograd.graph.saved_tensors_hooks(
        lambda tensor: (tensor.half(), tensor.shape), lambda packed: packed[0].float()
    )

    def halved() -> torch.Tensor:
        with with_hooks:
            return x.exp()

    assert held_bytes(halved, [x]) == size // 2


def test_time_is_shared_out(load: Callable) -> None:
    """Parts take what the whole does, forward and backward; inner ones count once."""
    inner, outer, last = nn.Linear(4, 4), nn.Sequential(), nn.Linear(4, 4)
    outer.append(nn.Linear(4, 4)).append(inner)
    parts = {'outer': outer, 'inner': inner, 'last': last}
    timeline = load('_timeline').Timeline(parts, {'outer': ('inner',)})
    for _ in range(2):
        last(outer(torch.randn(2, 4))).sum().backward()
        timeline.backward_done()
    forward, backward = timeline.medians('forward'), timeline.medians('backward')
    assert list(forward) == ['outer', 'inner', 'last']
    assert list(backward) == ['inner', 'last']
    assert min(*forward.values(), *backward.values()) > 0
    timeline.clear()
    assert timeline.medians('forward') == {}


def test_lines_by_hand(load: Callable) -> None:
    """A straight line has R^2 = 1; a bend has not."""
    fit = load('growth').linear_fit
    assert fit([1, 2, 4], [5, 7, 11]) == pytest.approx(dict(slope=2, intercept=3, r2=1))
    assert fit([1, 2, 3], [0, 1, 0])['r2'] == pytest.approx(0)
    assert fit([1, 2, 3], [4, 4, 4])['r2'] == 1


def test_without_kernels_is_for_the_call_alone(load: Callable) -> None:
    from mmsnn.ops import native

    library = native.library
    call = load('_networks').without_kernels(lambda: native.library())
    assert call() is None
    assert native.library is library


@pytest.mark.parametrize(
    ('name', 'options'),
    [
        ('inference', ('--size', 32)),
        ('training', ('--size', 32, '--images', 2)),
        ('precision', ('--size', 32)),
        ('kernels', ('--size', 4, '--channels', 8)),
    ],
)
def test_pairs_are_saved(save: Callable, name: str, options: tuple) -> None:
    """Every ratio is of cases that are there; nothing of the machine's user."""
    result = save(name, *options)
    assert result['benchmark'] == name
    assert result['command'].startswith(f'python benchmarks/{name}.py --threads 1')
    assert '--json' not in result['command']
    assert result['ratios']
    for ratio in result['ratios']:
        cases = result['cases']
        expected = cases[ratio['case']]['median_ms'] / cases[ratio['base']]['median_ms']
        assert ratio['ratio'] == pytest.approx(expected)
    assert result['machine']['versions']['torch'] == torch.__version__.partition('+')[0]
    assert str(Path.home()) not in json.dumps(result)
    if name == 'inference':
        # networks fire as they are measured; untrained, they would be silent
        rates = result['firing_rates']
        assert len(rates) == 20
        assert all(0.02 < rate < 0.6 for rate in rates)


def test_memory(save: Callable) -> None:
    """Recomputation holds less; the ANN's bytes are those of its layers."""
    held = save('memory', '--size', 32, '--images', 2)['held_bytes']
    efficient = held['mmsnn, SG ResNet18, memory_efficient']
    assert 0 < efficient < 0.5 * held['mmsnn, SG ResNet18']
    assert held['mmsnn, SG ResNet18'] < held['SpikingJelly, sew_resnet18']


@pytest.mark.slow
def test_growth(save: Callable) -> None:
    """What is held grows in proportion to steps and pixels, but for the stem."""
    by_steps, by_pixels = save('growth', '--size', 96, '--steps', 2)['growth']
    assert by_steps['values'] == [1, 2]
    assert by_pixels['values'] == [size**2 for size in (32, 64, 96)]
    assert by_pixels['fits']['held_mib']['r2'] > 0.999
    assert 1.5 < by_steps['held_mib'][1] / by_steps['held_mib'][0] < 2


@pytest.mark.slow
def test_detector(save: Callable) -> None:
    """Both detectors' parts are there, and their forward passes add up."""
    result = save('detector', '--size', 64, '--images', 1)
    stages = ['stem', 'stage 1', 'stage 2', 'stage 3', 'stage 4']
    for name, kinds in result['parts'].items():
        decoder = ['decoder'] if name.startswith('Spiking') else []
        inference = kinds['inference']
        assert list(inference) == [*stages, *decoder, 'FPN', 'head', 'rest']
        whole = result['cases'][f'{name}, inference']['median_ms']
        assert sum(inference.values()) == pytest.approx(whole)
        assert min(kinds['training, backward'].values()) > 0


def test_benchmarks_of_two_machines_are_refused(tmp_path: Path) -> None:
    """A table must not mix them; a missing file says how it is made."""
    tool = load_tool('performance')
    with pytest.raises(ValueError, match='python benchmarks/inference.py'):
        tool.load(tmp_path)
    for name in tool.BENCHMARKS:
        text = (tool.RESULTS / f'{name}.json').read_text(encoding='utf-8')
        (tmp_path / f'{name}.json').write_text(text)
    assert tool.load(tmp_path) == tool.load()
    other = json.loads((tmp_path / 'memory.json').read_text(encoding='utf-8'))
    other['machine']['cores'] += 1
    (tmp_path / 'memory.json').write_text(json.dumps(other))
    with pytest.raises(ValueError, match='memory.json and inference.json'):
        tool.load(tmp_path)


def test_plot_and_verdicts(tmp_path: Path) -> None:
    tool = load_tool('performance')
    page = tool.PAGE.read_text(encoding='utf-8')
    verdicts = page.count('| reached') + page.count('| **missed**')
    assert verdicts == len(tool.TARGETS)
    tool.draw(tool.load()['growth'], tmp_path / 'growth.png')
    assert (tmp_path / 'growth.png').stat().st_size > 5000


def test_all_benchmarks_are_on_the_page() -> None:
    elsewhere = ('all', 'gpu', 'streaming')
    scripts = {
        path.stem
        for path in BENCHMARKS.glob('*.py')
        if not path.stem.startswith('_') and path.stem not in elsewhere
    }
    assert scripts == set(load_tool('performance').BENCHMARKS)
