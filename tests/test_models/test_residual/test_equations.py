"""Each family's block is its formula: adding a family adds one line here."""

from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from mmsnn.models.residual import FAMILIES, BasicBlock, Bottleneck, ResidualBlock

from .by_hand import LAYERS, STEPS, ByHand, assert_same, sample, scatter


def branch(L: ByHand, x: Tensor) -> Tensor:
    """Two units that end with neurons, as SEW and SG ResNets have them."""
    return L.s(L.n2(L.c2(L.s(L.n1(L.c1(x))))))


def projection(L: ByHand, x: Tensor) -> Tensor:
    """Their shortcut."""
    return L.ps(L.pn(L.pc(x)))


def pre_activation(L: ByHand, x: Tensor) -> Tensor:
    return L.n2(L.c2(L.s(L.n1(L.c1(L.s(x))))))


def pool_and_append(L: ByHand, x: Tensor) -> Tensor:
    """The shortcut of EMS-Block2, or x where nothing changes."""
    pooled = L.pool(x)
    new = L.pn(L.pc(L.ps(pooled)))
    return torch.cat([new, pooled], dim=1) if L.projects else x


def select(gate: Tensor, h: Tensor, x: Tensor) -> Tensor:
    return gate * h + (1 - gate) * x


# The letters are those of ByHand.
EQUATIONS: dict[str, Callable[[ByHand, Tensor], Tensor]] = {
    'plain': lambda L, x: L.s(L.n2(L.c2(L.s(L.n1(L.c1(x)))))),
    'Spiking': lambda L, x: L.s(L.n2(L.c2(L.s(L.n1(L.c1(x))))) + L.pn(L.pc(x))),
    'tdBN': lambda L, x: L.s(L.n2(L.c2(L.s(L.n1(L.c1(x))))) + L.nx(L.pc(x))),
    'BAA': lambda L, x: L.s(L.ny(L.c2(L.s(L.n1(L.c1(x)))) + L.pc(x))),
    'SEW-ADD': lambda L, x: branch(L, x) + projection(L, x),
    'SEW-AND': lambda L, x: branch(L, x) * projection(L, x),
    'SEW-IAND': lambda L, x: (1 - branch(L, x)) * projection(L, x),
    'SG-BSG': lambda L, x: select(h := branch(L, x), h, projection(L, x)),
    'SG-BSG*': lambda L, x: select(L.gate(h := branch(L, x)), h, projection(L, x)),
    'PA-A': lambda L, x: L.n2(L.c2(L.s(L.n1(L.c1(L.s(x)))))) + L.pn(L.pc(x)),
    'PA-A-S': lambda L, x: L.n2(L.c2(L.s(L.n1(L.c1(L.s(x)))))) + L.pn(L.pc(L.ps(x))),
    'PA-B': lambda L, x: L.c2(L.s(L.n2(L.c1(L.s(L.n1(x)))))) + L.pc(x),
    'MS': lambda L, x: L.n2(L.c2(L.s(L.n1(L.c1(L.s(x)))))) + L.pn(L.pc(x)),
    'EMS': lambda L, x: pre_activation(L, x) + pool_and_append(L, x),
    'EMS-Block1': lambda L, x: pre_activation(L, x) + L.pn(L.pc(L.ps(L.pool(x)))),
    'DANet-A': lambda L, x: L.n2(L.c2(L.s(L.n1(L.c1(L.s(x)))))) + L.pn(L.pc(x)),
    'DANet-B': lambda L, x: L.c2(L.s(L.n2(L.c1(L.s(L.n1(x)))))) + L.pc(x),
    'DANet-C': lambda L, x: L.s(L.n2(L.c2(L.s(L.n1(L.c1(x))))) + L.pn(L.pc(x))),
    'DANet-D': lambda L, x: L.s(L.ny(L.c2(L.s(L.n1(L.c1(x)))) + L.pc(x))),
}


def test_every_family_has_its_equation():
    assert EQUATIONS.keys() == FAMILIES.keys()


@pytest.mark.parametrize('neuron', ['IF', 'LIF'])
@pytest.mark.parametrize('stride', [1, 2])
@pytest.mark.parametrize('block', [BasicBlock, Bottleneck])
@pytest.mark.parametrize('family', EQUATIONS)
def test_block(family: str, block: type[ResidualBlock], stride: int, neuron: str):
    wiring = FAMILIES[family]
    channels = 8 // block.expansion
    in_channels = 8 if stride == 1 else 6
    made = block(in_channels, channels, stride, wiring, LAYERS[neuron])
    scatter(made.double())
    x = sample(wiring.values, STEPS * 2, in_channels, 7, 6, dtype=torch.float64)

    y = made(x)

    assert y.unique().numel() > 1
    assert_same(y, EQUATIONS[family](ByHand(made, neuron), x), x, made)
