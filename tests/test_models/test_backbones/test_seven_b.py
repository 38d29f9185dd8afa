"""7B-Net and Wide-7B-Net, of every residual family."""

from dataclasses import replace

import pytest
import torch
from torch import nn

from mmsnn.models import FAMILIES, PLIF, SevenBNet

from ..helpers import calibrate, count_parameters, parameters_without_gradient, sum_of

STEPS = 3
# one of each kind of value, and norm first
KINDS = ['SG-BSG', 'SEW-ADD', 'PA-A', 'PA-B']
NETS = [(name, False) for name in KINDS] + [('PA-B', True)]
ALL_LEVELS = tuple(range(7))


def make_net(family='SEW-ADD', **options):
    net = SevenBNet(family, **{'num_steps': STEPS, **options})
    net.init_weights()
    return net


def events(batch=1, size=256, steps=STEPS, dtype=torch.float32):
    """Return frames with something in a corner only, as an event camera's.

    Seven max-pools make a spike of 128 x 128 pixels of which one fires: frames full of
    events saturate the deep stages, where SG's learned gate gets no gradient. Of large
    frames with few events all stages fire, and at some places only.
    """
    frames = torch.zeros(batch, steps, 2, size, size, dtype=dtype)
    frames[..., :16, :16] = torch.rand(batch, steps, 2, 16, 16, dtype=dtype)
    return frames


def test_parameters_of_7b_net():
    parameters = (
        2 * 32 * 9  # the first convolution
        + 7 * 2 * 32 * 32 * 9  # the blocks'
        + (1 + 7 * 2) * (2 * 32 + 1)  # norms, and PLIF's time constants
        + (32 + 1) * 11  # classifier of DVS Gesture's classes
    )
    assert parameters == 130_938
    net = SevenBNet()
    assert count_parameters(net) + count_parameters(nn.Linear(32, 11)) == parameters
    assert round(parameters / 1e6, 2) == 0.13


def test_parameters_of_wide_7b_net():
    parameters = (
        2 * 64 * 9
        + 4 * 2 * 64 * 64 * 9
        + 64 * 128  # the change of width, 1x1
        + 3 * 2 * 128 * 128 * 9
        + (1 + 4 * 2) * (2 * 64 + 1)
        + (1 + 3 * 2) * (2 * 128 + 1)
        + (128 + 1) * 10  # classifier of CIFAR10-DVS's classes
    )
    assert parameters == 1_193_242
    net = SevenBNet(wide=True)
    assert count_parameters(net) + count_parameters(nn.Linear(128, 10)) == parameters
    assert round(parameters / 1e6, 2) == 1.19
    # not as the paper's text has it, 3x3
    assert round((parameters + 8 * 64 * 128) / 1e6, 2) == 1.26
    # a learned gate adds two numbers per channel
    plain, learned = SevenBNet('SG-BSG'), SevenBNet('SG-BSG*')
    assert count_parameters(learned) == count_parameters(plain) + 7 * 2 * 32


def test_names_of_weights():
    net = SevenBNet(wide=True)
    units = ['stem.encode']
    for i in range(7):
        units += ['stages.4.widen'] if i == 4 else []
        units += [f'stages.{i}.block.branch.{unit}' for unit in (0, 1)]
    convolutions = [n for n, _ in net.named_parameters() if n.endswith('conv.weight')]
    assert convolutions == [f'{unit}.conv.weight' for unit in units]


@pytest.mark.parametrize(('family', 'wide'), NETS)
def test_features(family, wide):
    net = make_net(family, wide=wide, out_indices=ALL_LEVELS)
    widths = (64,) * 4 + (128,) * 3 if wide else (32,) * 7
    assert net.out_channels == widths
    frames = torch.rand(2, STEPS, 2, 130, 257)
    levels = calibrate(net, frames)(frames)
    sizes = [(65, 128), (32, 64), (16, 32), (8, 16), (4, 8), (2, 4), (1, 2)]
    assert [tuple(level.shape) for level in levels] == [
        (STEPS, 2, width, *size) for width, size in zip(widths, sizes, strict=True)
    ]
    assert levels[0].any()
    # one block a stage adds nothing up
    dense = FAMILIES[family].densely_additive
    assert net.values == ('binary' if dense else FAMILIES[family].values)
    assert net.out_values == ('integer' if family == 'SEW-ADD' else 'binary')
    for level in levels:
        if net.out_values == 'binary':
            assert set(level.unique().tolist()) <= {0.0, 1.0}
        else:
            assert torch.equal(level, level.round())
            assert level.min() >= 0
    if net.out_values == 'integer':
        assert levels[-1].max() > 1


def test_the_default_is_the_paper_s():
    net = SevenBNet()
    assert (net.num_steps, net.in_channels, net.wide) == (16, 2, False)
    assert net.family is FAMILIES['SEW-ADD']
    assert net.out_channels == (32,)
    neurons = [m for m in net.modules() if isinstance(m, PLIF)]
    assert len(neurons) == 15
    assert all(neuron.dynamics.detach_reset for neuron in neurons)
    assert {neuron.w.item() for neuron in neurons} == {0.0}  # tau 2


@pytest.mark.parametrize('family', FAMILIES)
def test_the_change_of_width(family):
    widen = make_net(family, wide=True).stages[4].widen
    analog = FAMILIES[family].values == 'analog'
    assert widen.order == ('CN' if analog else 'CNS')
    assert widen.conv.weight.shape == (128, 64, 1, 1)


def test_own_wirings():
    wiring = replace(FAMILIES['SEW-ADD'], unit='SCN', last_unit='SCN')
    net = make_net(wiring, wide=True)
    assert net.family is wiring
    assert net.values == 'analog'
    assert net.closings['6'].order == 'S'


@pytest.mark.parametrize('family', ['tdBN', 'MS'])
def test_threshold_dependent_norms(family):
    net = SevenBNet(family, wide=True, neuron={'type': 'IF', 'v_threshold': 0.5})
    assert (net.stem.encode.norm.weight == 0.5).all()
    assert (net.stages[4].widen.norm.weight == 0.5).all()
    first, last = net.stages[4].block.branch
    assert (first.norm.weight == 0.5).all()
    alpha = FAMILIES[family].path_alpha
    torch.testing.assert_close(last.norm.weight, torch.full((128,), 0.5 * alpha))


@pytest.mark.parametrize(('family', 'wide'), [('SG-BSG*', False), ('PA-B', True)])
def test_every_parameter_gets_a_gradient(family, wide):
    net = make_net(family, wide=wide, num_steps=2)
    levels = net(events(steps=2))
    sum_of(levels, [torch.randn_like(level) for level in levels]).backward()
    assert parameters_without_gradient(net) == []


@pytest.mark.parametrize(('last', 'needed'), [(0, 2), (3, 16)])
def test_the_size_that_is_needed(last, needed):
    net = make_net(out_indices=(last,))
    (level,) = net(torch.rand(2, STEPS, 2, needed, needed))
    assert level.shape == (STEPS, 2, 32, 1, 1)
    message = f'{last + 1} max-pools need .* at least {needed} x {needed} pixels'
    with pytest.raises(ValueError, match=message):
        net(torch.rand(2, STEPS, 2, needed, needed - 1))
