"""Gated attention coding against its equations, written by hand."""

import math

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from mmsnn.models import MSResNet, SpikingResNet
from mmsnn.models.layers import LayerFactory
from mmsnn.models.stems import build_stem

from ..helpers import count_parameters, parameters_without_gradient

STEPS, TAU = 4, 2.0
PRESETS = {'gac': (17, 10), 'gac-cifar': (33, 20), 'gac104': (17, 10)}  # of 33 x 20
ATTENTION = [(True, True), (True, False), (False, True)]


def layers_of(steps=STEPS):
    return LayerFactory(steps, {'type': 'LIF', 'tau': TAU}, {'type': 'BN'})


def make(preset='gac-cifar', steps=STEPS, channels=8, **options):
    """Return a stem of currents large enough for its LIF neurons to fire often."""
    if options:
        options.update(type='GatedAttentionStem', kernel_size=3, stride=1)
    stem = build_stem(options or preset, 3, channels, layers_of(steps)).double()
    nn.init.constant_(stem.encode.norm.weight, 2.0)
    return stem


def batch(frames=False, steps=STEPS, size=(9, 7)):
    return torch.randn(2, *([steps] if frames else []), 3, *size, dtype=torch.float64)


def convolutions(stem):
    return [m for m in stem.spatial_channel if isinstance(m, nn.Conv2d)]


def spike(distance):
    """Step, with the derivative of arctan(pi x) / pi."""
    smooth = torch.atan(math.pi * distance) / math.pi
    return (distance >= 0).to(distance) + smooth - smooth.detach()


def temporal_scores(attention, x):
    """Return one score a step and image, for x of [T, N, C, H, W]."""
    squeeze, restore = attention.mlp[0].weight, attention.mlp[2].weight
    steps, images = x.shape[:2]
    scores = torch.zeros(steps, images, dtype=x.dtype)
    for pool in (torch.mean, torch.amax):
        for n in range(images):
            pooled = [pool(x[t, n].flatten(), 0) for t in range(steps)]
            hidden = [
                sum(squeeze[j, t] * pooled[t] for t in range(steps)).clamp(min=0)
                for j in range(steps // 2)
            ]
            values = [
                sum(restore[t, j] * hidden[j] for j in range(steps // 2))
                for t in range(steps)
            ]
            column = torch.stack(values)[:, None]
            scores = scores + column * F.one_hot(torch.tensor(n), images)
    return scores


def reference(stem, frames):
    """Return [T, N, C, H, W] of frames [N, T, C, H, W]: the equations, step by step."""
    steps = frames.shape[1]
    conv, norm = stem.encode.conv, stem.encode.norm
    x = torch.stack(
        [F.conv2d(frames[:, t], conv.weight, padding=1) for t in range(steps)]
    )
    mean = x.mean((0, 1, 3, 4), keepdim=True)
    variance = (x - mean).square().mean((0, 1, 3, 4), keepdim=True)
    x = (x - mean) / (variance + norm.eps).sqrt() * norm.weight[:, None, None]
    x = x + norm.bias[:, None, None]
    outs, v = [], torch.zeros_like(x[0])
    for t in range(steps):
        h = v + (x[t] - v) / TAU
        s = spike(h - 1)
        v = h * (1 - s)
        score = torch.ones_like(x[t])
        if stem.temporal is not None:
            score = score * temporal_scores(stem.temporal, x)[t].view(-1, 1, 1, 1)
        if stem.spatial_channel is not None:
            first, second = (c.weight for c in convolutions(stem))
            y = F.conv2d(x[t], first, padding='same').clamp(min=0)
            score = score * F.conv2d(y, second, padding='same')
        outs.append(s / (1 + torch.exp(-score)))
    return torch.stack(outs)


@pytest.mark.filterwarnings("ignore:Using padding='same'")
@pytest.mark.parametrize('frames', [False, True])
@pytest.mark.parametrize('kernel_size', [3, 4])
@pytest.mark.parametrize(('temporal', 'spatial_channel'), ATTENTION)
def test_equals_the_equations(temporal, spatial_channel, kernel_size, frames):
    options = dict(temporal=temporal, spatial_channel=spatial_channel)
    options |= dict(sca_kernel_size=kernel_size)
    stem = make(**options)
    images = batch(frames).requires_grad_()
    sequence = images if frames else images[:, None].repeat(1, STEPS, 1, 1, 1)
    out, expected = stem(images), reference(stem, sequence).flatten(0, 1)
    assert 0.05 < (out > 0).double().mean() < 0.6
    torch.testing.assert_close(out, expected)
    pooled = make(**options, pool=True)  # its max-pool sees the graded values
    pooled.load_state_dict(stem.state_dict())
    torch.testing.assert_close(pooled(images), F.max_pool2d(out, 3, 2, 1))
    weight = torch.randn_like(out)
    inputs = [images, *stem.parameters()]
    grads = torch.autograd.grad((out * weight).sum(), inputs)
    wanted = torch.autograd.grad((expected * weight).sum(), inputs)
    for grad, want in zip(grads, wanted, strict=True):
        assert want.any()
        torch.testing.assert_close(grad, want)


def test_counts_of_parameters():
    stem = build_stem('gac', 3, 64, layers_of(6))
    assert count_parameters(stem.spatial_channel) == 131_072
    assert count_parameters(stem.temporal) == 2 * 6 * 3
    rest = count_parameters(build_stem('ms', 3, 64, layers_of(6)))
    assert count_parameters(stem) == rest + 131_072 + 36
    odd = build_stem('gac', 3, 64, layers_of(5))
    assert count_parameters(odd.temporal) == 2 * 5 * 2
    plain = count_parameters(build_stem('cifar', 3, 8, layers_of()))
    for (temporal, spatial_channel), more in zip(
        ATTENTION[1:], (2 * 4 * 2, 2 * 3**2 * 8**2), strict=True
    ):
        stem = make(
            temporal=temporal, spatial_channel=spatial_channel, sca_kernel_size=3
        )
        assert count_parameters(stem) == plain + more


@pytest.mark.parametrize('frames', [False, True])
@pytest.mark.parametrize('preset', PRESETS)
def test_output_is_graded_where_spikes_are(preset, frames):
    stem = make(preset)
    images = batch(frames, size=(33, 20))
    spikes = stem.fire(stem.currents(images), constant=not frames)
    out = stem(images)
    assert spikes.unique().tolist() == [0, 1]
    assert not out[spikes == 0].any()
    graded = out[spikes == 1]
    assert graded.min() > 0
    assert graded.max() < 1
    assert len(graded.unique()) > 10


def test_each_frame_is_attended_to_with_its_step():
    # the scores of a step follow its own frame, and by the temporal attention all
    stem = make(temporal=False)
    stem.eval()
    frames = batch(frames=True)
    other = frames.clone()
    other[:, -1] += 1.0
    before, after = (stem(x).unflatten(0, (STEPS, -1)) for x in (frames, other))
    assert torch.equal(before[:-1], after[:-1])
    assert not torch.equal(before[-1], after[-1])
    stem = make().eval()
    before, after = (stem(x).unflatten(0, (STEPS, -1)) for x in (frames, other))
    assert not torch.equal(before[:-1], after[:-1])


def test_network_without_neurons_in_its_stem_gets_the_same():
    # families that begin with neurons ask for an analog stem
    spiking, analog = (
        build_stem('gac', 3, 8, layers_of(), spiking) for spiking in (True, False)
    )
    analog.load_state_dict(spiking.state_dict())
    image = torch.randn(2, 3, 33, 20)
    assert torch.equal(spiking(image), analog(image))


def entering(backbone, image):
    """Return what enters the first convolution of the first block's branch."""
    seen = []
    conv = backbone.stages[0][0].branch[0].conv
    conv.register_forward_pre_hook(lambda _, args: seen.append(args[0]))
    backbone(image)
    return seen[0]


def test_what_enters_the_first_convolution_is_binary():
    options = {'num_steps': STEPS, 'base_channels': 8, 'out_indices': (0,)}
    neuron = {'type': 'LIF', 'tau': 4 / 3, 'v_threshold': 0.5, 'decay_input': False}
    image = torch.randn(2, 3, 64, 64)
    ms = MSResNet(18, stem='gac', neuron=neuron, strides=(2,) * 4, **options)
    ms.init_weights()
    assert entering(ms, image).unique().tolist() == [0, 1]
    # "GAC-based Spiking-ResNet is not entirely spike-driven"
    spiking = SpikingResNet(18, stem='gac', neuron=neuron, **options)
    spiking.init_weights()
    graded = entering(spiking, image).unique()
    assert len(graded) > 10
    assert graded.min() == 0
    assert graded.max() < 1


@pytest.mark.parametrize('steps', [2, 3, 6])
def test_every_parameter_gets_a_gradient(steps):
    options = {'num_steps': steps, 'base_channels': 8, 'out_indices': (0,)}
    backbone = MSResNet(18, stem='gac-cifar', zero_init_residual=False, **options)
    backbone.init_weights()
    (out,) = backbone(torch.randn(2, 3, 16, 16))
    (out * torch.randn_like(out)).sum().backward()
    assert not parameters_without_gradient(backbone)


def test_temporal_attention_never_starts_silent():
    # a hidden unit with negative weights would be, and of two steps it is the only one
    for seed in range(20):
        torch.manual_seed(seed)
        options = {'num_steps': 2, 'base_channels': 8, 'out_indices': (0,)}
        backbone = MSResNet(18, stem='gac-cifar', **options)
        backbone.init_weights()
        currents = backbone.stem.currents(torch.randn(1, 3, 16, 16))
        scores = backbone.stem.temporal(currents[None])
        assert scores.abs().max() > 0.02
        assert scores[0] != scores[1]


def test_one_step_without_temporal_attention():
    stem = make(steps=1, temporal=False)
    assert stem(batch()).shape == (2, 8, 9, 7)
