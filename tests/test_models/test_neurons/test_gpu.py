"""SpikingJelly's fused neurons: called as they want it, on whatever device there is."""

import warnings

import pytest
import torch
from spikingjelly.activation_based import functional

from mmsnn.models.neurons import gpu, multi_step
from mmsnn.models.neurons.functional import Dynamics
from mmsnn.models.neurons.surrogate import ATan, Rectangular, Sigmoid

STEPS = 4


@pytest.fixture(autouse=True)
def _not_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gpu, '_refused', [])


def results(function, x, decay, dynamics):
    """Return spikes and the gradient by the input."""
    x = x.detach().requires_grad_()
    spikes = function(x, decay, dynamics)
    torch.manual_seed(1)
    spikes.backward(torch.randn(spikes.shape).to(spikes.dtype))
    return spikes.detach(), x.grad


@pytest.mark.parametrize('surrogate', [ATan(), ATan(3.0), Sigmoid()])
@pytest.mark.parametrize('v_reset', [0.0, -0.25, None])
@pytest.mark.parametrize('detach', [True, False])
@pytest.mark.parametrize('decay', [None, 0.5, 0.25])
@pytest.mark.parametrize('decay_input', [True, False])
def test_same_spikes_and_gradients(decay_input, decay, detach, v_reset, surrogate):
    """Of IF and LIF; the CPU's implementation stands for the GPU's."""
    dynamics = Dynamics(0.75, v_reset, detach, surrogate, decay_input)
    # multiples of powers of two: no rounding that could differ
    x = torch.randint(-16, 64, (STEPS, 3, 5, 4, 4)) / 16
    found = results(gpu.multi_step, x, decay, dynamics)
    expected = results(multi_step, x, decay, dynamics)
    assert torch.equal(found[0], expected[0])
    torch.testing.assert_close(found[1], expected[1], rtol=1e-4, atol=1e-5)


def test_half_precision_keeps_the_potential_in_fp32():
    """Many small currents, which a bf16 potential would lose."""
    dynamics = Dynamics(1.0, 0.0, False, ATan())
    x = (torch.rand(STEPS, 2000) * 2).bfloat16()
    spikes = gpu.multi_step(x, None, dynamics)
    assert spikes.dtype == torch.bfloat16
    assert torch.equal(spikes, multi_step(x, None, dynamics))


def test_a_current_that_lasts():
    """Direct coding's currents are expanded over the steps."""
    dynamics = Dynamics(1.0, 0.0, False, ATan())
    x = torch.rand(2, 3, 4, 4).expand(STEPS, 2, 3, 4, 4)
    found, expected = gpu.multi_step(x, None, dynamics), multi_step(x, None, dynamics)
    assert torch.equal(found, expected)


def test_what_is_not_fused_is_left_alone(monkeypatch):
    """Learned decays, rectangular surrogates, fp64, and the switch."""
    dynamics = Dynamics(1.0, 0.0, False, ATan())
    x = torch.rand(STEPS, 5)
    assert gpu.multi_step(x, torch.tensor(0.5), dynamics) is None
    assert gpu.multi_step(x.double(), None, dynamics) is None
    rectangular = Dynamics(1.0, 0.0, False, Rectangular())
    assert gpu.multi_step(x, None, rectangular) is None
    monkeypatch.setenv('MMSNN_KERNELS', '0')
    assert gpu.multi_step(x, None, dynamics) is None


def test_a_failure_is_said_once(monkeypatch):
    """Afterwards it is not tried again."""

    def fail(*args, **kwargs):
        raise RuntimeError('no such device function')

    monkeypatch.setattr(functional, 'if_multi_step', fail)
    dynamics = Dynamics(1.0, 0.0, False, ATan())
    x = torch.rand(STEPS, 5)
    with pytest.warns(UserWarning, match='no such device function.*MMSNN_KERNELS=0'):
        assert gpu.multi_step(x, None, dynamics) is None
    with warnings.catch_warnings():
        warnings.simplefilter('error')
        assert gpu.multi_step(x, None, dynamics) is None
