"""Networks on a CUDA device: training steps, compiled and not."""

import copy

import pytest
import torch
from torch import Tensor, nn
from torch.profiler import ProfilerActivity, profile

from .helpers import calibrate, make_backbone, parameters_without_gradient
from .test_detector import (
    build,
    learn,
    make_batch,
    mmdet_scope,  # noqa: F401
    retinanet,
    spiking_parts,
)

pytestmark = [
    pytest.mark.gpu,
    pytest.mark.skipif(not torch.cuda.is_available(), reason='needs a CUDA device'),
]

NEURONS = [
    {'type': 'IF'},
    {'type': 'LIF', 'tau': 2.0},
    {'type': 'PLIF', 'init_tau': 2.0},
]


def step(backbone: nn.Module, image: Tensor) -> list[Tensor]:
    """Run forward and backward; return the last level and all gradients."""
    backbone.zero_grad()
    features = backbone(image)
    sum(level.square().sum() for level in features).backward()
    return [features[-1], *(p.grad for p in backbone.parameters())]


@pytest.mark.parametrize('neuron', NEURONS, ids=lambda cfg: cfg['type'])
def test_a_backbone_learns(neuron: dict) -> None:
    backbone = make_backbone(neuron=neuron).cuda()
    image = torch.randn(2, 3, 64, 64, device='cuda')
    with profile(activities=[ProfilerActivity.CPU]) as profiler:
        step(backbone, image)
    assert parameters_without_gradient(backbone) == []
    names = {event.key for event in profiler.key_averages()}
    assert {'mmsnn::multi_step', 'mmsnn::multi_step_backward', 'mmsnn::gate'} <= names


def test_memory_efficient_equals_default() -> None:
    backbone = make_backbone().cuda()
    efficient = make_backbone(memory_efficient=True).cuda()
    efficient.load_state_dict(copy.deepcopy(backbone.state_dict()))
    image = torch.randn(2, 3, 64, 64, device='cuda')
    deterministic = torch.backends.cudnn.flags(deterministic=True, benchmark=False)
    with deterministic:
        results = zip(step(backbone, image), step(efficient, image), strict=True)
    for result, expected in results:
        torch.testing.assert_close(result, expected, rtol=1e-3, atol=1e-4)


@torch.no_grad()
def test_compiled_equals_eager() -> None:
    image = torch.randn(2, 3, 64, 64, device='cuda')
    backbone = calibrate(make_backbone().cuda(), image).eval()
    for result, expected in zip(
        torch.compile(backbone)(image), backbone(image), strict=True
    ):
        # another order of sums in a convolution flips a spike now and then
        assert (result != expected).float().mean() < 0.01


def test_a_detector_learns(mmdet_scope: None) -> None:  # noqa: F811
    detector = build(retinanet(spiking_parts({'type': 'ASD'}))).cuda()
    losses = learn(detector, make_batch())
    assert set(losses) == {'loss_cls', 'loss_bbox'}
    assert parameters_without_gradient(detector) == []
