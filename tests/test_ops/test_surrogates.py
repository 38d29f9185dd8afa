"""Which surrogates have kernels, and those that PyTorch evaluates."""

from dataclasses import dataclass, replace

import pytest
import torch
from torch import Tensor

from mmsnn.models import neurons
from mmsnn.models.neurons import PLIF, Rectangular, Sigmoid, Surrogate
from mmsnn.ops import Dynamics, SurrogateKind, multi_step, surrogate_slope


@dataclass(frozen=True)
class ATan(Surrogate):
    """Named as a built-in surrogate, with another derivative."""

    alpha: float = 2.0

    def derivative(self, x: Tensor) -> Tensor:
        return 1 - x.abs().clamp(max=1)


class Derived(neurons.ATan):
    """Derived from a built-in surrogate, with another derivative."""

    def derivative(self, x: Tensor) -> Tensor:
        return 2 * super().derivative(x)


class Unlike:
    """No subclass of anything; its ``kind`` is not the operators'."""

    kind = 1

    def derivative(self, x: Tensor) -> Tensor:
        return torch.ones_like(x)


def test_kinds_are_of_exact_classes() -> None:
    kinds = {
        neurons.ATan(): SurrogateKind.ATAN,
        Sigmoid(): SurrogateKind.SIGMOID,
        Rectangular(): SurrogateKind.RECTANGULAR,
        ATan(): SurrogateKind.GIVEN,
        Derived(): SurrogateKind.GIVEN,
        Unlike(): SurrogateKind.GIVEN,
    }
    for surrogate, kind in kinds.items():
        dynamics = Dynamics(1.0, 0.0, False, surrogate)
        assert dynamics.kind == kind
        assert replace(dynamics, v_threshold=2.0).kind == kind


def results(x: Tensor, decay: float, dynamics: Dynamics) -> tuple[Tensor, ...]:
    x = x.detach().requires_grad_()
    learned = torch.tensor(decay, dtype=x.dtype, requires_grad=True)
    spikes = multi_step(x, learned, dynamics)
    torch.manual_seed(1)
    grads = torch.autograd.grad(spikes, (x, learned), torch.randn_like(spikes))
    return spikes.detach(), *grads


@dataclass(frozen=True)
class Same(Surrogate):
    """The formula of a kind, evaluated in PyTorch."""

    alpha: float
    formula: SurrogateKind

    def derivative(self, x: Tensor) -> Tensor:
        return surrogate_slope(self.formula, self.alpha, x)


@pytest.mark.parametrize('surrogate', [neurons.ATan(), Sigmoid(), Rectangular()])
@pytest.mark.parametrize('v_reset', [0.0, None])
@pytest.mark.parametrize('detach', [True, False])
def test_a_given_slope_is_as_good(detach, v_reset, surrogate, implementation) -> None:
    x = torch.rand(4, 3, 5, 6) * 2
    dynamics = Dynamics(0.8, v_reset, detach, surrogate)
    given = replace(dynamics, surrogate=Same(surrogate.alpha, surrogate.kind))
    expected, found = results(x, 0.4, dynamics), results(x, 0.4, given)
    assert torch.equal(found[0], expected[0])
    torch.testing.assert_close(found[1:], expected[1:], rtol=1e-4, atol=1e-5)


def test_own_derivatives_are_used(implementation) -> None:
    """In one step the gradient is the derivative."""
    x = torch.linspace(-1, 3, 41)[None]
    for surrogate in (ATan(), Derived(), Unlike()):
        learned = x.clone().requires_grad_()
        multi_step(learned, None, Dynamics(1.0, 0.0, False, surrogate)).sum().backward()
        torch.testing.assert_close(learned.grad, surrogate.derivative(x - 1))


@pytest.mark.parametrize('surrogate', [ATan(), Unlike()])
def test_own_derivatives_can_be_compiled(surrogate) -> None:
    neuron = PLIF(2)
    neuron.dynamics = replace(neuron.dynamics, surrogate=surrogate)
    x = 4 * torch.rand(4, 8)

    def gradients(call) -> tuple[Tensor, ...]:
        learned = x.clone().requires_grad_()
        spikes = call(learned)
        assert spikes.any()
        return torch.autograd.grad(spikes.sum(), (learned, neuron.w))

    torch._dynamo.reset()
    compiled = torch.compile(neuron, backend='aot_eager', fullgraph=True)
    torch.testing.assert_close(gradients(compiled), gradients(neuron), rtol=0, atol=0)
    torch._dynamo.reset()
