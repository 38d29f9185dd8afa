import pytest
import torch

from mmsnn.models.backbones import SGResNet
from mmsnn.models.neurons import ATan, Sigmoid, heaviside
from mmsnn.models.residual import (
    AddMerge,
    AndMerge,
    GateMerge,
    IAndMerge,
    LearnedGateMerge,
    Merge,
)

# outputs at (residual, shortcut) = (0, 0), (0, 1), (1, 0), (1, 1)
TRUTH = {
    AddMerge: [0, 1, 1, 2],
    AndMerge: [0, 0, 0, 1],
    IAndMerge: [0, 1, 0, 0],
    GateMerge: [0, 1, 1, 1],
    LearnedGateMerge: [0, 1, 1, 1],
}
RESIDUAL = torch.tensor([0.0, 0.0, 1.0, 1.0]).view(4, 1, 1, 1)
SHORTCUT = torch.tensor([0.0, 1.0, 0.0, 1.0]).view(4, 1, 1, 1)


def real_inputs(channels=3):
    h = torch.randn(2, channels, 4, 5, dtype=torch.float64, requires_grad=True)
    x = torch.randn(2, channels, 4, 5, dtype=torch.float64, requires_grad=True)
    return h, x


@pytest.mark.parametrize('merge', TRUTH)
@pytest.mark.parametrize('dtype', [torch.float32, torch.bfloat16, torch.float64])
def test_truth_table(merge, dtype):
    y = merge(1)(residual=RESIDUAL.to(dtype), shortcut=SHORTCUT.to(dtype))
    assert y.flatten().tolist() == TRUTH[merge]
    assert y.shape == RESIDUAL.shape
    assert y.dtype == dtype


@pytest.mark.parametrize('merge', [AddMerge, AndMerge, IAndMerge, GateMerge])
def test_smooth_gradients(merge):
    h, x = real_inputs()
    assert torch.autograd.gradcheck(lambda h, x: merge(3)(h, x), (h, x))


@pytest.mark.parametrize('merge', TRUTH)
def test_inputs_are_left_alone(merge):
    h, x = real_inputs()
    before = h.detach().clone(), x.detach().clone()
    upstream = torch.randn_like(h)
    upstream_before = upstream.clone()
    merge(3).double()(h, x).backward(upstream)
    assert torch.equal(h, before[0])
    assert torch.equal(x, before[1])
    assert torch.equal(upstream, upstream_before)


@pytest.mark.parametrize('wanted', [(0, 1), (0,), (1,)])
def test_gate_gradients_are_those_of_eq_15(wanted):
    """With respect to both inputs, and to one alone."""
    h, x = real_inputs()
    upstream = torch.randn_like(h)
    expected = (2 * h - x) * upstream, (1 - h) * upstream
    inputs = [t.detach().requires_grad_(i in wanted) for i, t in enumerate((h, x))]
    y = GateMerge(3)(residual=inputs[0], shortcut=inputs[1])
    torch.testing.assert_close(y, h**2 + (1 - h) * x)
    grads = torch.autograd.grad(y, [inputs[i] for i in wanted], upstream)
    torch.testing.assert_close(grads, tuple(expected[i] for i in wanted))


def test_gate_gradients_on_spikes():
    h, x = (t.clone().requires_grad_() for t in (RESIDUAL, SHORTCUT))
    GateMerge(1)(h, x).sum().backward()
    assert h.grad.flatten().tolist() == [0, -1, 2, 1]
    assert x.grad.flatten().tolist() == [1, 1, 0, 0]


@pytest.mark.parametrize('threshold', [0.01, 0.5, 1.0, 1])
def test_learned_gate_starts_as_the_plain_gate(threshold):
    h, x = ((torch.rand(4, 3, 8, 8) < 0.4).float() for _ in range(2))
    merge = LearnedGateMerge(3, threshold)
    assert f'channels=3, threshold={threshold}' in str(merge)
    for name, value in (('weight', 1), ('bias', 0)):
        parameter = merge.get_parameter(name)
        assert parameter.shape == (1, 3, 1, 1) and (parameter == value).all()
    assert torch.equal(merge(h, x), GateMerge(3)(h, x))
    with torch.autocast('cpu', dtype=torch.bfloat16):
        y = merge(h.bfloat16(), x.bfloat16())
    assert y.dtype == torch.bfloat16
    assert torch.equal(y, GateMerge(3)(h.bfloat16(), x.bfloat16()))


def test_mistakes_name_the_argument() -> None:
    with pytest.raises(ValueError, match=r'^threshold must be in \(0, 1\].* 2'):
        LearnedGateMerge(3, threshold=2)
    with pytest.raises(ValueError, match=r'^gate_threshold must be in \(0, 1\].* 2'):
        SGResNet(10, gate='BSG*', gate_threshold=2)


def test_learned_gate_with_other_parameters():
    merge = LearnedGateMerge(3, threshold=0.5)
    with torch.no_grad():
        merge.weight[0, :, 0, 0] = torch.tensor([-1.0, 1.0, 0.2])
        merge.bias[0, :, 0, 0] = torch.tensor([0.7, 0.5, 0.0])
    y = merge(RESIDUAL.expand(4, 3, 1, 1), SHORTCUT.expand(4, 3, 1, 1))
    # channel 0: the gate opens for silence alone, y = 0 or the shortcut
    assert y[:, 0].flatten().tolist() == [0, 0, 0, 1]
    # channel 1: always open, y = residual
    assert y[:, 1].flatten().tolist() == [0, 0, 1, 1]
    # channel 2: never open, y = shortcut
    assert y[:, 2].flatten().tolist() == [0, 1, 0, 1]


@pytest.mark.parametrize('surrogate', [ATan(), Sigmoid(2.0)])
def test_learned_gate_gradients(surrogate):
    threshold = 0.4
    merge = LearnedGateMerge(3, threshold, surrogate).double()
    with torch.no_grad():
        merge.weight.uniform_(-1, 1)
        merge.bias.uniform_(-1, 1)
    h, x = real_inputs()
    inputs = (h, x, merge.weight, merge.bias)
    upstream = torch.randn_like(h)

    y = merge(h, x)
    grads = torch.autograd.grad(y, inputs, upstream)
    # Eqs. 12 and 14 as they are written
    gate = heaviside(merge.weight * h + merge.bias - threshold, surrogate)
    expected = gate * h + (1 - gate) * x
    expected_grads = torch.autograd.grad(expected, inputs, upstream)

    assert 0 < gate.mean() < 1
    torch.testing.assert_close(y, expected)
    for grad, expected_grad in zip(grads, expected_grads, strict=True):
        torch.testing.assert_close(grad, expected_grad)
        assert grad.any()


def test_a_merge_without_forward_says_so():
    with pytest.raises(NotImplementedError, match='Merge defines no forward'):
        Merge(1)(RESIDUAL, SHORTCUT)
