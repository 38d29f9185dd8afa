"""The kernels of neurons that continue from a state."""

from itertools import product
from typing import Any

import pytest
import torch

from mmsnn.ops import SurrogateKind

from .neuron_cases import DTYPES, KINDS, LAYOUTS, NEURONS, RESETS, neuron, random
from .test_equality import ROUNDING, check_equal, run_both

pytestmark = pytest.mark.gpu

CASES = list(product(NEURONS, RESETS))


@pytest.mark.parametrize(('name', 'v_reset'), CASES)
def test_neurons(name: str, v_reset: float | None, device: torch.device) -> None:
    case = CASES.index((name, v_reset))
    dtype, layout = DTYPES[case % len(DTYPES)], LAYOUTS[case % len(LAYOUTS)]
    kind = KINDS[case // len(RESETS) % len(KINDS)]
    x_seq = layout(3).to(dtype)
    state = torch.promote_types(dtype, torch.float32)
    v = random(*x_seq.shape[1:], seed=3).to(state)
    args = (*neuron(name, v_reset, dtype), case % 2 == 0, int(kind), 2.5)
    for initial in (v, None):
        *pairs, final = run_both(
            'multi_step_from', device, x_seq, initial, *args, True, False
        )
        for pair in (*pairs, final):
            check_equal(*pair)
        h_seq = pairs[1][1]
        given = kind == SurrogateKind.GIVEN
        slope = torch.exp(-((h_seq - 1.0) ** 2)) if given else None
        grad = random(*x_seq.shape, seed=1).to(dtype)
        grads = run_both(
            'multi_step_from_backward',
            device,
            grad,
            random(*v.shape, seed=2).to(state),
            h_seq,
            initial,
            *args,
            slope,
        )
        torch.testing.assert_close(*grads[0], **ROUNDING[dtype])
        torch.testing.assert_close(*grads[1], rtol=1e-4, atol=1e-4)
        torch.testing.assert_close(*grads[2], **ROUNDING[state])


def test_spikes_in_bytes(device: torch.device) -> None:
    x_seq, v = random(3, 630), random(630, seed=3)
    args = (*neuron('LIF', 0.25, torch.float32), True, 1, 2.0)
    for pair in run_both('multi_step_from', device, x_seq, v, *args, False, True):
        check_equal(*pair)


@pytest.mark.parametrize('dtype', DTYPES)
@pytest.mark.parametrize('layout', LAYOUTS)
def test_integer_neurons(layout: Any, dtype: torch.dtype, device: torch.device) -> None:
    x_seq = ((8 * layout(3)).round() / 4).to(dtype)
    state = torch.promote_types(dtype, torch.float32)
    v = ((8 * random(*x_seq.shape[1:], seed=3)).round() / 4).to(state)
    args = (0.25, 4, False, False)
    for initial in (v, None):
        pairs = run_both('integer_multi_step_from', device, x_seq, initial, *args, True)
        for pair in pairs:
            check_equal(*pair)
        grads = run_both(
            'integer_multi_step_from_backward',
            device,
            random(*x_seq.shape, seed=1).to(dtype),
            random(*v.shape, seed=2).to(state),
            pairs[1][1],
            *args,
        )
        torch.testing.assert_close(*grads[0], **ROUNDING[dtype])
        torch.testing.assert_close(*grads[1], **ROUNDING[state])
