"""Energies in a run's log and visualisation backends."""

import copy
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from mmengine.runner import Runner
from torch import nn

from mmsnn.analysis import CountingRules, EnergyEstimate, OperationCounter
from mmsnn.analysis import estimate_energy as estimate
from mmsnn.utils.errors import UserError

from .test_train_steps import STEPS, Frames, make_model
from .watching import Spy, curves

Make = Callable[..., Runner]


def expected(model: nn.Module, *settings: Any) -> EnergyEstimate:
    """Initialise the model; count the first iteration of a copy."""
    model.init_weights()
    model = copy.deepcopy(model).train()
    with OperationCounter(model) as counter, torch.no_grad():
        model(Frames(STEPS, 2, 8, 8).inputs[:2], mode='tensor')
    return estimate(counter.result(), *settings)


def test_curves_and_log(make_runner: Make, tmp_path: Path) -> None:
    """The sum in the log, parts and operations as curves; nothing in between."""
    model, spy = make_model(), Spy()
    first = expected(model)
    hook = dict(type='mmsnn.EnergyHook', interval=1)
    make_runner(model, [hook, spy], epochs=1).train()
    assert all(during > 0 and after == 0 for during, after in spy.counts)
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


def test_costs_and_rules(make_runner: Make, tmp_path: Path) -> None:
    """Those of the config are used, at the interval of the config."""
    model, spy = make_model(), Spy()
    rules = dict(neuron_updates=True, spikes='exact')
    costs = dict(mac_pj=2.0, accumulation_pj=1.0)
    hook = dict(type='mmsnn.EnergyHook', interval=2, costs=costs, rules=rules)
    make_runner(model, [hook, spy], epochs=1).train()
    assert [during > 0 for during, _ in spy.counts] == [False, True]
    found = curves(tmp_path)
    macs, additions = (
        dict(found[f'energy_pj/{name}'])[2] for name in ('macs', 'accumulations')
    )
    assert dict(found['energy_pj'])[2] == pytest.approx(2 * macs + additions)
    updates = expected(make_model(), 'SG', CountingRules(**rules)).total
    plain = expected(make_model(), 'SG', CountingRules(spikes='exact')).total
    # the net's PLIF neurons multiply
    assert updates.macs > plain.macs


@pytest.mark.parametrize(
    ('settings', 'message'),
    [
        (dict(costs='TPU'), 'one of SG, GAC'),
        (dict(costs=dict(mac_pj=1.0)), 'accumulation_pj'),
        (dict(rules=dict(spikes='all')), 'rate, exact'),
        (dict(rules=dict(speed=1)), 'speed'),
    ],
)
def test_promised_errors(
    make_runner: Make, settings: dict[str, Any], message: str
) -> None:
    """Before the first iteration."""
    hook = dict(type='mmsnn.EnergyHook', **settings)
    with pytest.raises(UserError, match=f'EnergyHook: .*{message}'):
        make_runner(make_model(), [hook]).train()
