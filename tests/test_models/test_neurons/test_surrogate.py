import math

import pytest
import torch

from mmsnn.models.neurons import (
    ATan,
    Constant,
    Rectangular,
    Sigmoid,
    build_surrogate,
    heaviside,
)

X = torch.linspace(-2, 2, 401, dtype=torch.float64)
FORMULAS = {
    ATan: lambda x, a: (a / 2) / (1 + (math.pi * a / 2 * x) ** 2),
    Sigmoid: lambda x, a: a * torch.exp(-a * x) / (1 + torch.exp(-a * x)) ** 2,
    Rectangular: lambda x, a: a * (x.abs() < 1 / (2 * a)).to(x.dtype),
    Constant: lambda x, a: a * torch.ones_like(x),
}


@pytest.mark.parametrize('kind', FORMULAS)
@pytest.mark.parametrize('alpha', [0.5, 1.0, 2.0, 4.5])
def test_derivative(kind, alpha):
    x = X + 1e-3  # off the rectangle's edges
    before = x.clone()
    torch.testing.assert_close(kind(alpha).derivative(x), FORMULAS[kind](x, alpha))
    assert torch.equal(x, before)
    if kind is not Constant:  # whose integral is not finite; the step's is 1
        wide = torch.linspace(-400, 400, 400_001, dtype=torch.float64)
        area = torch.trapezoid(kind(alpha).derivative(wide), wide)
        assert area == pytest.approx(1, abs=5e-3)


def test_defaults():
    # the default ATan is the paper's 1 / (1 + (pi x)^2)
    torch.testing.assert_close(ATan().derivative(X), 1 / (1 + (math.pi * X) ** 2))
    assert (Sigmoid().alpha, Rectangular().alpha) == (4.0, 1.0)
    # "Constant 1" of the SEW paper, A.5
    assert torch.equal(Constant().derivative(X), torch.ones_like(X))
    assert build_surrogate(None) == ATan(2.0)


def test_build():
    config = {'type': 'Sigmoid', 'alpha': 3}
    assert build_surrogate(config) == Sigmoid(3.0)
    assert config == {'type': 'Sigmoid', 'alpha': 3}
    mine = Rectangular(2.0)
    assert build_surrogate(mine) is mine


def test_heaviside_shows_what_is_not_finite():
    x = torch.tensor([math.nan, math.inf, -math.inf, 1.0, -1.0])
    assert heaviside(x, ATan()).isnan().tolist() == [True, True, True, False, False]
