"""What every registered backbone keeps to, with every residual family."""

import copy
import io

import pytest
import torch
from test_models.helpers import parameters_without_gradient, sum_of
from test_models.test_backbones.fake_backward import fake_gradients
from test_models.test_backbones.held import check_same, held_bytes
from torch import Tensor, nn
from torch._subclasses.fake_tensor import FakeTensorMode

from mmsnn.deploy import fold_norms
from mmsnn.models import SpikeDecoder
from mmsnn.models.neurons import BaseNeuron
from mmsnn.registry import MODELS

from .parts import (
    BACKBONES,
    CASES,
    IMAGES,
    STEPS,
    active_backbone,
    backbone_arguments,
    case_id,
    equal,
    fires,
    make_backbone,
    norms,
)

EVERY = pytest.mark.parametrize('case', CASES, ids=case_id)
CLASSES = pytest.mark.parametrize('name', BACKBONES)
# compilers take a second for each
FEW = [
    pytest.param(
        case,
        marks=() if not case[1] or 'PA-B' in case[1].values() else pytest.mark.slow,
        id=case_id(case),
    )
    for case in CASES
]


@pytest.fixture(scope='module', params=CASES, ids=case_id)
def shared(request: pytest.FixtureRequest) -> nn.Module:
    """An active backbone in evaluation mode, which tests leave as it is.

    In double precision: the batch size changes the order of a convolution's sums.
    """
    torch.manual_seed(0)
    return active_backbone(request.param).eval().double().requires_grad_(False)


def images(count: int = 2, size: int = 32) -> Tensor:
    return torch.randn(count, 3, size, size, dtype=torch.float64)


def test_features(shared: nn.Module) -> None:
    levels = shared(images())
    assert isinstance(levels, tuple) and fires(levels)
    assert len(levels) == len(shared.out_channels) == len(shared.out_indices)
    for level, channels in zip(levels, shared.out_channels, strict=True):
        assert level.shape[:3] == (STEPS, 2, channels)
        assert level.dtype == torch.float64
        assert level.flatten(0, 1).is_contiguous(memory_format=torch.channels_last)
        if shared.out_values in ('binary', 'integer'):
            assert torch.equal(level, level.round())
            assert level.min() >= 0
        if shared.out_values == 'binary':
            assert level.max() == 1
    sizes = [level.shape[-1] for level in levels]
    assert sizes == sorted(sizes, reverse=True)


def test_calls_and_copies_agree(shared: nn.Module) -> None:
    image = images()
    expected = shared(image)
    shared(images(3, size=48))
    assert equal(shared(image), expected)
    assert equal(copy.deepcopy(shared)(image), expected)


def test_samples_do_not_mix(shared: nn.Module) -> None:
    image = images(3)
    together = shared(image)
    for i in range(3):
        assert equal(shared(image[i : i + 1]), tuple(x[:, i : i + 1] for x in together))


def test_frames_have_a_time_of_their_own(shared: nn.Module) -> None:
    image = images()
    expected = shared(image)
    # an image is shown at every step
    assert equal(shared(image[:, None].expand(-1, STEPS, -1, -1, -1)), expected)
    # what comes later changes only what comes later
    for level, still in zip(
        shared(torch.stack([image, images()], dim=1)), expected, strict=True
    ):
        assert torch.equal(level[0], still[0])
        assert not torch.equal(level[1], still[1])


@pytest.mark.parametrize('shape', [(2, 1, 32, 32), (3, 32, 32), (1, 3, 3, 32, 32)])
def test_images_that_do_not_fit(shared: nn.Module, shape: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match=r'\[N, 3, H, W\].*but got \['):
        shared(torch.zeros(shape, dtype=torch.float64))


def test_state_dict_round_trip(shared: nn.Module) -> None:
    other = copy.deepcopy(shared)
    for value in other.state_dict().values():
        value.zero_()
        assert value.is_contiguous()
    file = io.BytesIO()
    torch.save(shared.state_dict(), file)
    file.seek(0)
    other.load_state_dict(torch.load(file, weights_only=True), strict=True)
    image = images()
    assert equal(other(image), shared(image))


def test_folded_norms_change_no_spike(shared: nn.Module) -> None:
    backbone = copy.deepcopy(shared)
    for norm in norms(backbone):
        nn.init.uniform_(norm.weight, 0.5, 1.5)
        norm.bias.add_(torch.empty_like(norm.bias).uniform_(-0.2, 0.4))
    folded, image = fold_norms(backbone), images()
    assert len(norms(folded)) < len(norms(backbone))
    levels = backbone(image)
    assert fires(levels)
    for level, right in zip(folded(image), levels, strict=True):
        # features of a graded stem are not spikes
        torch.testing.assert_close(level, right, rtol=1e-9, atol=1e-9)


def test_bf16(shared: nn.Module) -> None:
    """Under autocast and cast: neither silent nor excited; decoders are in fp32."""
    backbone, image = copy.deepcopy(shared).float(), images().float()
    neck = SpikeDecoder(backbone.out_channels, STEPS).eval()
    expected = backbone(image)
    with torch.autocast('cpu', torch.bfloat16):
        levels = backbone(image)
        assert {level.dtype for level in neck(levels)} == {torch.bfloat16}
    for got in (levels, fold_norms(backbone).to(torch.bfloat16)(image)):
        for level, right in zip(got, expected, strict=True):
            assert level.dtype == torch.bfloat16
            assert level.shape == right.shape
            assert 0.5 * right.mean() < level.float().mean() < 2 * right.mean()
        assert {level.dtype for level in neck(got)} == {torch.float32}


@CLASSES
def test_out_indices(name: str) -> None:
    """What is not returned is not built, and changes nothing."""
    every = active_backbone((name, {})).eval()
    image = torch.randn(IMAGES)
    for index in (0, 1):
        some = make_backbone((name, {}), out_indices=[index]).eval()
        assert len(some.stages) == index + 1
        assert list(some.closings) == [str(index)]
        assert some.out_channels == (every.out_channels[index],)
        state = every.state_dict()
        some.load_state_dict({key: state[key] for key in some.state_dict()})
        assert torch.equal(some(image)[0], every(image)[index])


@EVERY
def test_every_parameter_gets_a_gradient(case) -> None:
    backbone = active_backbone(case, neuron=dict(type='PLIF'))
    levels = backbone(torch.randn(4, *IMAGES[1:]))
    sum_of(levels, [torch.randn_like(level) for level in levels]).backward()
    assert parameters_without_gradient(backbone) == []


@EVERY
def test_memory_efficient_is_the_same(case) -> None:
    """Outputs, gradients and statistics of two passes; less is held."""
    plain = active_backbone(case, neuron=dict(type='PLIF')).train()
    lean = make_backbone(case, neuron=dict(type='PLIF'), memory_efficient=True)
    for norm in norms(plain):
        norm.num_batches_tracked.zero_()
    lean.load_state_dict(plain.state_dict())
    assert lean.stem.recompute
    assert all(closing.recompute for closing in lean.closings.values() if len(closing))
    image = torch.randn(IMAGES)
    check_same(plain, lean, image, passes=2)
    assert held_bytes(lean, image) < 0.6 * held_bytes(plain, image)


@CLASSES
@pytest.mark.parametrize('frozen_stages', [-1, 0, 1, 2])
def test_frozen_stages(name: str, frozen_stages: int) -> None:
    """Frozen from the start, and in training: no gradients, no new statistics."""
    backbone = active_backbone((name, {}), frozen_stages=frozen_stages).train()
    parts = [backbone.stem, *backbone.stages]
    parts = [(part, i <= frozen_stages) for i, part in enumerate(parts)]
    parts += [(c, int(i) < frozen_stages) for i, c in backbone.closings.items()]
    before = copy.deepcopy([part.state_dict() for part, _ in parts])
    levels = backbone(torch.randn(IMAGES))
    assert levels[-1].requires_grad == (frozen_stages < 2)
    if frozen_stages < 2:
        sum(level.sum() for level in levels if level.requires_grad).backward()
    for (part, frozen), state in zip(parts, before, strict=True):
        assert all(module.training is not frozen for module in part.modules())
        assert all(p.requires_grad is not frozen for p in part.parameters())
        assert not frozen or all(p.grad is None for p in part.parameters())
        if norms(part):
            assert frozen == all(
                torch.equal(value, state[key])
                for key, value in part.state_dict().items()
            )


@CLASSES
def test_norm_eval(name: str) -> None:
    backbone = make_backbone((name, {}), norm_eval=True).eval().train()
    assert norms(backbone) and not any(norm.training for norm in norms(backbone))
    assert backbone.training and backbone.stem.training
    assert all(p.requires_grad for p in backbone.parameters())
    assert all(
        norm.training for norm in norms(make_backbone((name, {})).eval().train())
    )


@CLASSES
def test_neuron_norm_convolution_and_initialisation_configs(name: str) -> None:
    backbone = make_backbone(
        (name, {}),
        neuron=dict(type='PLIF', init_tau=1.5),
        norm_cfg=dict(type='GN', num_groups=2),
        conv_cfg=dict(type='ConvWS'),
        init_cfg=dict(type='Constant', layer='ConvWS2d', val=2),
    )
    kinds = {type(module).__name__ for module in backbone.modules()}
    assert {'PLIF', 'GroupNorm', 'ConvWS2d'} <= kinds
    assert not kinds & {'IF', 'BatchNorm2d', 'Conv2d'}
    for module in backbone.modules():
        if type(module).__name__ == 'ConvWS2d':
            assert (module.weight == 2).all()
    assert len(backbone(torch.randn(IMAGES))) == 2


@pytest.mark.parametrize('case', FEW)
def test_compiled_training(case) -> None:
    """One graph; outputs and gradients are those without a compiler."""
    torch._dynamo.reset()
    backbone = active_backbone(case, out_indices=(0,)).double().train()
    other, image = copy.deepcopy(backbone), images()
    compiled = torch.compile(backbone, backend='aot_eager', fullgraph=True)
    (level,), (expected,) = compiled(image), other(image)
    assert torch.equal(level, expected)
    weight = torch.randn_like(level)
    for features in (level, expected):
        (features * weight).sum().backward()
    for given, right in zip(backbone.parameters(), other.parameters(), strict=True):
        torch.testing.assert_close(given.grad, right.grad, rtol=1e-8, atol=1e-8)
    torch._dynamo.reset()


@pytest.mark.parametrize('case', FEW)
def test_export(case) -> None:
    """A program with one operator for each layer of neurons, not an unrolled loop."""
    backbone = active_backbone(case, out_indices=(0,)).eval()
    program = torch.export.export(backbone, (torch.randn(IMAGES),))
    neurons = sum(isinstance(m, BaseNeuron) for m in backbone.modules())
    targets = [str(node.target) for node in program.graph.nodes]
    assert sum('multi_step' in target for target in targets) == neurons > 0
    image = torch.randn(IMAGES)
    with torch.no_grad():
        (level,), (expected,) = program.module()(image), backbone(image)
    assert torch.equal(level, expected)
    assert level.stride() == expected.stride()


@EVERY
def test_fake_cuda(case) -> None:
    """Forward and backward on fake CUDA tensors: mixed devices raise anywhere."""
    name, options = case
    with FakeTensorMode(), torch.device('cuda'):
        net = MODELS.get(name)(**backbone_arguments(name, **options))
        neck = SpikeDecoder(net.out_channels, STEPS)
        levels = neck(net.train()(torch.rand(IMAGES)))
        assert {level.device.type for level in levels} == {'cuda'}
        leaves = fake_gradients(levels)
    assert leaves.keys() == {p for p in net.parameters() if p.requires_grad}
    for parameter, grad in leaves.items():
        assert (grad.device.type, grad.shape) == ('cuda', parameter.shape)


def test_mixed_devices_raise() -> None:
    with FakeTensorMode(), torch.device('cuda'):
        backbone = MODELS.get('SGResNet')(**backbone_arguments('SGResNet'))
        with pytest.raises(RuntimeError, match='device'):
            backbone(torch.randn(IMAGES, device='cpu'))
