"""What firing rates, gradients and energies are measured, and where they are shown."""

import copy
import gc
import math
import re
import weakref
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from mmengine.runner import Runner
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from torch import nn

from mmsnn.analysis import CountingRules, EnergyEstimate, OperationCounter
from mmsnn.analysis import estimate_energy as estimate
from mmsnn.analysis.firing.firing_rates import FiringRates
from mmsnn.analysis.gradients.gradient_flow import GradientFlow
from mmsnn.engine.hooks import FiringRateHook
from mmsnn.engine.hooks.gradient_flow import GradientFlowHook, geometric_mean
from mmsnn.utils.errors import UserError

from .small_runs import STEPS, Frames, curves, make_model

Make = Callable[..., Runner]
ITERATIONS = 2  # an epoch has


def make_hook(name: str, **options: Any) -> dict[str, Any]:
    return dict(type=f'mmsnn.{name}', interval=1, **options)


def inputs_of(iteration: int = 1) -> torch.Tensor:
    begin = 2 * ((iteration - 1) % ITERATIONS)
    return Frames(STEPS, 2, 8, 8).inputs[begin : begin + 2]


# Firing rates -------------------------------------------------------------------------


def test_firing_rates_as_curves_and_in_the_log(
    make_runner: Make, tmp_path: Path
) -> None:
    model = make_model()
    model.init_weights()
    first = copy.deepcopy(model).train()
    with FiringRates(first) as rates, torch.no_grad():
        first(inputs_of(), mode='tensor')
    expected = rates.result()
    backends = [dict(type=f'{kind}VisBackend') for kind in ('Local', 'Tensorboard')]
    visualizer = dict(type='Visualizer', vis_backends=backends, name=tmp_path.name)
    hooks = [make_hook('FiringRateHook')]
    make_runner(model, hooks, 2, visualizer=visualizer).train()
    found = curves(tmp_path)
    layers = {f'firing_rate/{n.name}': n.firing_rate for n in expected.neurons}
    assert 'firing_rate/backbone.stem.neuron' in layers
    assert {tag for tag in found if tag.startswith('firing_rate/')} == set(layers)
    for tag, rate in layers.items():
        assert [step for step, _ in found[tag]] == [1, 2, 3, 4]
        assert found[tag][0][1] == pytest.approx(rate)
    assert found['firing_rate'][0] == (1, pytest.approx(expected.firing_rate, rel=1e-4))
    assert 0 < expected.firing_rate < 1
    # training has changed them
    assert len({rate for _, rate in found['firing_rate']}) == 4
    (path,) = tmp_path.glob('*/vis_data/events.*')
    events = EventAccumulator(str(path)).Reload()
    for tag in ('firing_rate', *layers):
        shown = [(each.step, each.value) for each in events.Scalars(tag)]
        assert shown == [(step, pytest.approx(value)) for step, value in found[tag]]
    (log,) = tmp_path.glob('*/*.log')
    lines = [line for line in log.read_text().splitlines() if 'Epoch(train)' in line]
    assert len(lines) == 4
    assert f'firing_rate: {expected.firing_rate:.4f}' in lines[0]


class Keeping(FiringRateHook):
    """Keeps the collectors."""

    def __init__(self) -> None:
        super().__init__(1)
        self.kept: list[FiringRates] = []

    def scalars(self, collector: FiringRates) -> Any:
        self.kept.append(collector)
        return super().scalars(collector)


def tensors(value: Any) -> Iterator[torch.Tensor]:
    """Yield all tensors in what a collector keeps, but the model's."""
    if isinstance(value, torch.Tensor):
        yield value
    elif isinstance(value, dict):
        yield from tensors(list(value.values()))
    elif isinstance(value, list | tuple):
        for item in value:
            yield from tensors(item)
    elif hasattr(value, '__dict__') and not isinstance(value, nn.Module):
        yield from tensors(vars(value))


def test_no_graph_is_held(make_runner: Make) -> None:
    model, hook = make_model(), Keeping()
    outputs: list[weakref.ref] = []
    neuron = model.backbone.stem.neuron
    handle = neuron.register_forward_hook(
        lambda module, args, out: outputs.append(weakref.ref(out))
    )
    make_runner(model, [hook]).train()
    handle.remove()
    gc.collect()
    assert len(hook.kept) == len(outputs) == ITERATIONS
    assert [output() for output in outputs] == [None] * ITERATIONS
    assert hook._collector is None
    kept = list(tensors(hook.kept))
    assert kept
    assert not any(tensor.requires_grad for tensor in kept)


# Gradients ----------------------------------------------------------------------------

TWO_BLOCKS = dict(
    type='mmsnn.ResNetSNN',
    depth=18,
    family='SEW-ADD',
    num_steps=STEPS,
    in_channels=2,
    base_channels=32,
    out_indices=(0,),
    stem='cifar',
)
BLOCKS = ['gradient_norm/backbone.stages.0.0', 'gradient_norm/backbone.stages.0.1']


def expected_norms(model: nn.Module, iteration: int) -> list[float]:
    """Return the norms of an iteration of a model that does not learn."""
    model = copy.deepcopy(model).train()
    samples = [Frames(STEPS, 2, 8, 8)[i]['data_samples'] for i in range(2)]
    with GradientFlow(model) as flow:
        losses = model(inputs_of(iteration), samples, mode='loss')
        losses['loss'].backward()
    return [block.norm for block in flow.result().blocks]


@pytest.mark.parametrize('scale', [1, 1024])
def test_norms_of_gradients(scale: int, make_runner: Make, tmp_path: Path) -> None:
    """As curves and in the log; those of a scaled loss count unscaled."""

    class Scaler:
        """What is used of ``torch.amp.GradScaler``, which is off without a GPU."""

        scale_now = float(scale)

        def get_scale(self) -> float:
            return self.scale_now

    class Hook(GradientFlowHook):
        def before_train_iter(self, runner: Runner, *args: Any, **options: Any) -> None:
            scaler = Scaler()
            if scale > 1:
                runner.optim_wrapper.loss_scaler = scaler
            super().before_train_iter(runner, *args, **options)
            scaler.scale_now = 1.0  # a step may change it

    model = make_model(TWO_BLOCKS)
    model.init_weights()
    start = copy.deepcopy(model)
    wrapper = dict(optimizer=dict(type='SGD', lr=0.0))
    runner = make_runner(model, [Hook(3)], 3, optim_wrapper=wrapper)
    runner.train()
    found = curves(tmp_path)
    for step, iteration in enumerate((3, 6)):
        norms = [found[name][step] for name in BLOCKS]
        expected = [each / scale for each in expected_norms(start, iteration)]
        assert [where for where, _ in norms] == [iteration] * 2
        first, second = (norm for _, norm in norms)
        assert [first, second] == pytest.approx(expected, rel=1e-4)
        assert found['gradient_norm/gain'][step][1] == pytest.approx(first / second)
    history = runner.message_hub.get_scalar('train/gradient_norm')
    assert history.current() == pytest.approx(math.sqrt(first * second), rel=1e-6)
    assert found['gradient_norm'][-1][1] == pytest.approx(history.current(), rel=1e-6)


def test_geometric_mean() -> None:
    assert geometric_mean([1e-8, 1e2]) == pytest.approx(1e-3)
    assert geometric_mean([0.0, 5.0]) == 0
    assert geometric_mean([math.inf, 5.0]) == math.inf
    assert math.isnan(geometric_mean([]))


# Energies -----------------------------------------------------------------------------


def expected_energy(model: nn.Module, *settings: Any) -> EnergyEstimate:
    """Initialise the model; count the first iteration of a copy."""
    model.init_weights()
    model = copy.deepcopy(model).train()
    with OperationCounter(model) as counter, torch.no_grad():
        model(inputs_of(), mode='tensor')
    return estimate(counter.result(), *settings)


def test_energies_as_curves_and_in_the_log(make_runner: Make, tmp_path: Path) -> None:
    """The sum in the log, parts and operations as curves."""
    model = make_model()
    first = expected_energy(model)
    make_runner(model, [make_hook('EnergyHook')]).train()
    found = curves(tmp_path)
    total = first.total
    assert total.accumulations > 0
    names = {part.name: part.energy_pj for part in first.parts}
    assert set(names) == {'encoder', 'backbone', 'head'}
    names |= {'macs': total.macs, 'accumulations': total.accumulations}
    for name, value in names.items():
        assert found[f'energy_pj/{name}'][0] == (1, pytest.approx(value))
    assert found['energy_pj'][0] == (1, pytest.approx(total.energy_pj))
    assert [step for step, _ in found['energy_pj']] == [1, 2]
    (log,) = tmp_path.glob('*/*.log')
    told = re.findall(r'energy_pj: ([\d.]+)', log.read_text(encoding='utf-8'))
    assert float(told[0]) == pytest.approx(total.energy_pj, rel=1e-6)


def test_costs_and_rules_of_energies(make_runner: Make, tmp_path: Path) -> None:
    rules = dict(neuron_updates=True, spikes='exact')
    costs = dict(mac_pj=2.0, accumulation_pj=1.0)
    model = make_model()
    updates = expected_energy(model, 'SG', CountingRules(**rules)).total
    plain = expected_energy(make_model(), 'SG', CountingRules(spikes='exact')).total
    # the net's PLIF neurons multiply
    assert updates.macs > plain.macs
    make_runner(model, [make_hook('EnergyHook', costs=costs, rules=rules)]).train()
    found = curves(tmp_path)
    names = ('', '/macs', '/accumulations')
    energy, macs, additions = (found[f'energy_pj{name}'][0][1] for name in names)
    assert energy == pytest.approx(2 * macs + additions)


@pytest.mark.parametrize(
    ('settings', 'message'),
    [
        (dict(costs='TPU'), 'one of SG, GAC'),
        (dict(costs=dict(mac_pj=1.0)), 'accumulation_pj'),
        (dict(rules=dict(spikes='all')), 'rate, exact'),
        (dict(rules=dict(speed=1)), 'speed'),
    ],
)
def test_mistakes_of_energies(
    make_runner: Make, settings: dict[str, Any], message: str
) -> None:
    """Before the first iteration."""
    with pytest.raises(UserError, match=f'EnergyHook: .*{message}'):
        make_runner(make_model(), [make_hook('EnergyHook', **settings)]).train()
