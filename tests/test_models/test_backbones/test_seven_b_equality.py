"""7B-Net equals a network written by hand, and keeps time and samples apart."""

import pytest
import torch
import torch.nn.functional as F
from spikingjelly.activation_based import functional, surrogate
from spikingjelly.activation_based.neuron import ParametricLIFNode
from torch import nn

from mmsnn.models import FAMILIES, SevenBNet
from mmsnn.models.backbones import seven_b

from ..helpers import sum_of
from .test_seven_b import ALL_LEVELS, STEPS, events, make_net


class Layer(nn.Sequential):
    """Convolution, norm and, if asked for, SpikingJelly's PLIF."""

    def __init__(self, in_channels, out_channels, kernel_size=3, neuron=True):
        super().__init__()
        self.conv = nn.Conv2d(
            in_channels, out_channels, kernel_size, padding=kernel_size // 2, bias=False
        )
        self.norm = nn.BatchNorm2d(out_channels)
        # unlike each other; firing often, or AND leaves nothing to compare
        nn.init.uniform_(self.norm.weight, 0.5, 1.5)
        nn.init.uniform_(self.norm.bias, 0.7, 1.7)
        if neuron:
            self.neuron = SJNeuron()


class SJNeuron(ParametricLIFNode):
    """SpikingJelly's PLIF, on time folded into the batch."""

    def __init__(self):
        super().__init__(
            init_tau=2.0,
            surrogate_function=surrogate.ATan(),
            detach_reset=True,
            step_mode='m',
        )

    def forward(self, x):
        return super().forward(x.unflatten(0, (STEPS, -1))).flatten(0, 1)


class Stage(nn.Module):
    def __init__(self, family, in_channels, channels):
        super().__init__()
        self.family = family
        if in_channels != channels:
            self.widen = Layer(in_channels, channels, 1)
        self.first = Layer(channels, channels)
        self.second = Layer(channels, channels, neuron=family != 'Spiking')
        if family == 'Spiking':
            self.post = SJNeuron()

    def forward(self, x):
        if hasattr(self, 'widen'):
            x = self.widen(x)
        h = self.second(self.first(x))
        y = {
            'plain': lambda: h,
            'Spiking': lambda: self.post(h + x),
            'SEW-ADD': lambda: h + x,
            'SEW-AND': lambda: h * x,
            'SEW-IAND': lambda: (1 - h) * x,
            'SG-BSG': lambda: h * h + (1 - h) * x,
        }[self.family]()
        return F.max_pool2d(y, 2, 2)


class Reference(nn.Module):
    def __init__(self, family, widths):
        super().__init__()
        self.stem = Layer(2, widths[0])
        before = (widths[0], *widths[:-1])
        self.stages = nn.ModuleList(
            Stage(family, *shape) for shape in zip(before, widths, strict=True)
        )

    def forward(self, frames):
        functional.reset_net(self)
        x = self.stem(torch.cat(list(frames.unbind(1))))
        levels = []
        for stage in self.stages:
            x = stage(x)
            levels.append(x.unflatten(0, (STEPS, -1)))
        return levels


FEW = ('SEW-ADD', 'SEW-AND', 'SG-BSG', 'PA-A', 'EMS')
RENAMED = {
    'stem.conv': 'stem.encode.conv',
    'stem.norm': 'stem.encode.norm',
    '.first.': '.block.branch.0.',
    '.second.': '.block.branch.1.',
    '.post.': '.block.post.neuron.',
}


def our_name(name):
    for theirs, ours in RENAMED.items():
        name = name.replace(theirs, ours)
    return name


@pytest.mark.parametrize(
    ('family', 'wide'),
    [
        ('plain', False),
        ('Spiking', False),
        ('SEW-ADD', False),
        ('SEW-ADD', True),
        ('SEW-AND', False),
        ('SEW-IAND', False),
        ('SG-BSG', False),
    ],
)
def test_equals_a_network_by_hand(family, wide, monkeypatch):
    widths = (16,) * 4 + (32,) * 3 if wide else (16,) * 7
    monkeypatch.setitem(seven_b.STAGE_WIDTHS, wide, widths)
    theirs = Reference(family, widths).double()
    # double precision: rounding must not decide whether a neuron fires
    ours = SevenBNet(family, wide, num_steps=STEPS, out_indices=ALL_LEVELS).double()
    state = {our_name(name): value for name, value in theirs.state_dict().items()}
    ours.load_state_dict(state, strict=True)

    frames = events(size=128, dtype=torch.float64)
    expected, levels = theirs(frames), ours(frames)
    for level, their_level in zip(levels, expected, strict=True):
        assert torch.equal(level, their_level)
        assert level.any()
    assert not levels[0].all()

    weights = [torch.randn_like(level) for level in levels]
    sum_of(expected, weights).backward()
    sum_of(levels, weights).backward()
    gradients = {name: p.grad for name, p in ours.named_parameters()}
    assert gradients['stem.encode.conv.weight'].any()
    for name, p in theirs.named_parameters():
        grad = gradients.pop(our_name(name))
        torch.testing.assert_close(grad, p.grad, atol=1e-8, rtol=1e-6)
    assert not gradients


@pytest.mark.parametrize(
    'family',
    [
        pytest.param(name, marks=() if name in FEW else pytest.mark.slow)
        for name, row in FAMILIES.items()
        if row.starts_as_identity
    ],
)
def test_zero_initialised_only_the_pools_are_left(family):
    # SEW paper, A.3
    frames = events()
    with torch.random.fork_rng():
        other = make_net(family)
    net = make_net(family, zero_init_residual=True)
    assert torch.equal(net.stem.encode.conv.weight, other.stem.encode.conv.weight)
    x = net.stem(frames)
    for _ in range(7):
        x = F.max_pool2d(x, 2)
    expected = net.closings['6'](x).unflatten(0, (STEPS, -1))
    assert 0 < expected.mean() < 1
    assert torch.equal(net(frames)[0], expected)
    assert not torch.equal(other(frames)[0], expected)
