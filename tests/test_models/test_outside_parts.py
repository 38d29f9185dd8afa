"""Parts of every kind that another package adds, in a detector's config."""

import copy
import inspect
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import torch
from mmdet.utils import register_all_modules
from mmengine.registry import DefaultScope
from test_deploy.int8_check import check_int8
from torch import Tensor, nn

from mmsnn.analysis import (
    FiringRates,
    GradientStability,
    OperationCounter,
    estimate_energy,
    find_parts,
)
from mmsnn.deploy import FoldedNorm, fold_norms
from mmsnn.models import ResNetSNN
from mmsnn.models.decoders import BaseDecoder
from mmsnn.models.neurons import BaseNeuron, Surrogate, build_surrogate, heaviside
from mmsnn.models.residual import FAMILIES, Merge, Wiring
from mmsnn.models.stems import STEM_PRESETS, BaseStem
from mmsnn.registry import MODELS, SURROGATES

from .helpers import calibrate
from .test_detector import build, learn, make_batch, retinanet, spiking_parts

STEPS = 3


class Forgetful(BaseNeuron):
    """Fires where the current reaches the threshold, whatever came before."""

    def forward(self, x: Tensor) -> Tensor:
        return heaviside(x - self.dynamics.v_threshold, self.dynamics.surrogate)

    def potentials(self, x: Tensor) -> Tensor:
        return x.detach()


@dataclass(frozen=True)
class Triangle(Surrogate):
    """A triangle of area 1, ``width`` wide."""

    alpha: float = 1.0
    width: float = 2.0

    def derivative(self, x: Tensor) -> Tensor:
        return (1 - (2 * x / self.width).abs()).clamp(min=0) * 2 / self.width


class Weighted(BaseDecoder):
    """A learned sum over time."""

    step_dims = {'weight': 0}

    def __init__(self, channels: int, num_steps: int) -> None:
        super().__init__(channels, num_steps)
        self.weight = nn.Parameter(torch.full((num_steps,), 1 / num_steps))

    def decode(self, spikes: Tensor) -> Tensor:
        return torch.einsum('t,tnchw->nchw', self.weight, spikes)


class Contrast(BaseStem):
    """Neurons see how far the norm's output is from 0."""

    def compute(self, image: Tensor) -> Tensor:
        x = self.currents(image).abs()
        return self.shrink(self.fire(x, constant=self.is_image(image)))


class Xor(Merge):
    """One of the two inputs, not both."""

    def forward(self, residual: Tensor, shortcut: Tensor) -> Tensor:
        return residual + shortcut - 2 * residual * shortcut

    def expected_mean(self, residual: float, shortcut: float) -> float:
        return residual + shortcut - 2 * residual * shortcut


@pytest.fixture(scope='module', autouse=True)
def registered() -> Iterator[None]:
    """The parts, as their package would register them when it is imported."""
    register_all_modules(init_default_scope=False)
    for part in (Forgetful, Weighted, Contrast):
        MODELS.register_module(module=part)
    SURROGATES.register_module(module=Triangle)
    FAMILIES.register('XOR', Wiring(Xor, 'nobody'))
    STEM_PRESETS.register(
        'contrast', dict(type='Contrast', kernel_size=5, stride=2, pool=False)
    )
    with DefaultScope.overwrite_default_scope('mmdet'):
        yield
    for part in (Forgetful, Weighted, Contrast):
        MODELS.module_dict.pop(part.__name__)
    SURROGATES.module_dict.pop('Triangle')
    FAMILIES.pop('XOR')
    STEM_PRESETS.pop('contrast')


def make_detector(num_steps: int = STEPS, **options: Any) -> nn.Module:
    parts = spiking_parts(dict(type='Weighted'), num_steps, family='XOR')
    parts['neck'][0]['num_steps'] = num_steps
    surrogate = dict(type='Triangle', width=4.0)
    parts['backbone'] |= dict(
        stem='contrast', neuron=dict(type='Forgetful', surrogate=surrogate)
    )
    return build({**retinanet(parts), **options})


@pytest.fixture(scope='module')
def detector() -> nn.Module:
    """A detector of these parts whose neurons fire."""
    torch.manual_seed(0)
    model = make_detector()
    calibrate(model.backbone, torch.randn(2, 3, 64, 64))
    return model.eval()


@pytest.fixture
def image() -> Tensor:
    return torch.randn(2, 3, 64, 64, generator=torch.Generator().manual_seed(1))


@pytest.mark.parametrize('part', [Forgetful, Triangle, Weighted, Contrast, Xor])
def test_a_part_is_short(part: type) -> None:
    assert len(inspect.getsource(part).splitlines()) < 15


def test_the_config_gives_these_parts(detector: nn.Module) -> None:
    kinds = {type(module) for module in detector.modules()}
    assert {Forgetful, Weighted, Contrast, Xor} <= kinds
    assert detector.backbone.stem.neuron.dynamics.surrogate == Triangle(1.0, 4.0)
    assert detector.backbone.values == 'binary'


def test_training(detector: nn.Module) -> None:
    model = copy.deepcopy(detector).train()
    assert set(learn(model, make_batch())) == {'loss_cls', 'loss_bbox'}
    learned = [*model.backbone.parameters(), *model.neck[0].parameters()]
    assert all(p.grad is not None and p.grad.isfinite().all() for p in learned)
    assert sum(bool(p.grad.any()) for p in learned) > len(learned) / 2


@torch.no_grad()
def test_firing_rates(detector: nn.Module, image: Tensor) -> None:
    with FiringRates(detector) as rates:
        detector(image)
    firing = rates.result()
    parts = find_parts(detector)
    assert {parts[neurons.name] for neurons in firing.neurons} == {
        'encoder',
        'backbone',
    }
    assert 0 < firing.firing_rate < 1
    for block in firing.blocks:
        h, x = block.last_firing_rate, block.shortcut_mean
        assert block.expected_mean == pytest.approx(h + x - 2 * h * x)
        assert block.output_mean == pytest.approx(block.expected_mean, abs=0.1)
        assert block.output_values == 'binary'


@torch.no_grad()
def test_energy(detector: nn.Module, image: Tensor) -> None:
    with OperationCounter(detector) as counter:
        detector(image)
    operations = counter.result()
    inner = {
        layer.name: layer.values
        for layer in operations.layers
        if layer.kind == 'convolution' and layer.part == 'backbone'
    }
    assert set(inner.values()) == {'binary'}
    assert sum(layer.part == 'decoder' for layer in operations.layers)
    assert estimate_energy(operations).total.energy_pj > 0


@torch.no_grad()
def test_stability(detector: nn.Module, image: Tensor) -> None:
    with GradientStability(detector) as stability:
        detector(image)
    result = stability.result()
    # a triangle of this width is 0.5 high
    assert all(0 < neurons.amplitude <= 0.5 for neurons in result.neurons)
    assert result.with_shortcuts is None  # the merge does not say that it adds


@torch.no_grad()
def test_folding(detector: nn.Module, image: Tensor) -> None:
    folded = fold_norms(detector)
    assert sum(isinstance(m, FoldedNorm) for m in folded.backbone.modules()) == 12
    for ours, theirs in zip(folded(image), detector(image), strict=True):
        for one, other in zip(ours, theirs, strict=True):
            assert torch.allclose(one, other, rtol=1e-3, atol=1e-3)


@torch.no_grad()
def test_int8(detector: nn.Module, image: Tensor) -> None:
    report, _ = check_int8(fold_norms(detector.backbone), image, 1e-3)
    # all but the stem's convolution
    assert [*report.kept] == ['stem.encode.conv']


def test_another_number_of_steps(detector: nn.Module, tmp_path: Path) -> None:
    path = str(tmp_path / 'weights.pth')
    torch.save({'state_dict': detector.state_dict()}, path)
    init_cfg = dict(type='mmsnn.PretrainedSteps', checkpoint=path)
    model = make_detector(5, init_cfg=init_cfg)
    weights = detector.state_dict()
    differing = {
        name
        for name, value in model.state_dict().items()
        if not torch.equal(value, weights[name])
    }
    assert differing == {f'neck.0.decoders.{i}.weight' for i in range(3)}


def test_named_among_what_is_known() -> None:
    mistakes = {'neuron': 'Forgetful', 'stem': 'Contrast', 'family': 'XOR'}
    for argument, known in mistakes.items():
        mistake: Any = 'None' if argument == 'family' else dict(type='None')
        with pytest.raises(ValueError, match=f'one of .*{known}.* but got .None.'):
            ResNetSNN(10, **{'family': 'plain', argument: mistake})
    with pytest.raises(ValueError, match=r'one of .*Triangle, but got .None.'):
        build_surrogate(dict(type='None'))
    with pytest.raises(ValueError, match='Triangle takes alpha, width only'):
        build_surrogate(dict(type='Triangle', slope=1))
