"""What every registered stem and preset keeps to."""

import copy
import inspect

import pytest
import torch
from test_models.helpers import calibrate, parameters_without_gradient
from test_models.test_backbones.fake_backward import fake_gradients
from test_models.test_backbones.held import check_same
from torch import Tensor, nn
from torch._subclasses.fake_tensor import FakeTensorMode

from mmsnn.deploy import fold_norms
from mmsnn.models.stems import build_stem
from mmsnn.models.stems.base import StemOptions
from mmsnn.models.stems.pixel_coding import CodedStem
from mmsnn.registry import MODELS

from .parts import SPIKING, STEM_CASES, STEMS, case_id, layers, make_stem

STEPS = 8
EVERY = pytest.mark.parametrize('case', STEM_CASES, ids=case_id)


def images(*size: int, count: int = 2, dtype: torch.dtype = torch.float32) -> Tensor:
    """Return images whose values are intensities, which some stems need."""
    return torch.rand(count, 3, *(size or (12, 10)), dtype=dtype)


@EVERY
@pytest.mark.parametrize('spiking', SPIKING)
def test_output(case, spiking: bool) -> None:
    stem = make_stem(case, spiking)
    out = stem(images(33, 20))
    assert stem.num_steps == STEPS
    assert out.shape[:2] == (STEPS * 2, 8)
    assert out.is_contiguous(memory_format=torch.channels_last)
    assert out.unflatten(0, (STEPS, 2)).flatten(1).unique(dim=0).shape[0] > 1 or (
        stem.neuron is None  # an image's currents are the same at every step
    )
    if stem.graded:
        assert 0 <= out.min() < out.max() < 1
    else:
        assert (out.unique().tolist() == [0, 1]) == spiking
    strides = -(-33 // out.shape[2]), -(-20 // out.shape[3])
    assert strides[0] == strides[1] in (1, 2, 4)


@EVERY
@pytest.mark.parametrize('frames', [False, True])
def test_neurons_are_fed_with_steps_of_images(case, frames: bool) -> None:
    """Convolutions run once for an image, and once for each frame."""
    stem, shapes, batches = make_stem(case), [], []
    stem.neuron.register_forward_hook(lambda _, x, y: shapes.append(x[0].shape))
    for module in stem.modules():
        if isinstance(module, nn.Conv2d):
            module.register_forward_hook(lambda _, __, y: batches.append(len(y)))
    image = images()
    if frames and isinstance(stem, CodedStem):
        with pytest.raises(ValueError, match=r'but got frames of shape \[2, 8, 3'):
            stem(image[:, None].expand(-1, STEPS, -1, -1, -1))
        return
    out = stem(image[:, None].repeat(1, STEPS, 1, 1, 1) if frames else image)
    assert [shape[:3] for shape in shapes] == [(STEPS, 2, 8)]
    repeated = frames or isinstance(stem, CodedStem)
    assert set(batches) == {2 * STEPS if repeated else 2}
    if frames:  # a still film is the image
        torch.testing.assert_close(out, make_copy(stem)(image))


def make_copy(stem: nn.Module) -> nn.Module:
    other = copy.deepcopy(stem)
    other.load_state_dict(stem.state_dict(), strict=True)
    return other


@EVERY
def test_calls_and_copies_agree_and_samples_do_not_mix(case) -> None:
    stem = make_stem(case).double().eval()
    image = images(dtype=torch.float64)
    first = stem(image)
    stem(images(9, 9, count=3, dtype=torch.float64))
    assert torch.equal(stem(image), first)
    assert torch.equal(make_copy(stem)(image), first)
    if case[0] != 'RateStem':  # draws numbers for the whole batch
        torch.testing.assert_close(stem(image[:1]), first[::2])


@EVERY
@pytest.mark.parametrize('spiking', SPIKING)
def test_every_parameter_gets_a_gradient(case, spiking: bool) -> None:
    stem = make_stem(case, spiking)
    out = stem(images(24, 24, count=4))
    (out * torch.randn_like(out)).sum().backward()
    assert parameters_without_gradient(stem) == []


@EVERY
@torch.no_grad()
def test_in_bf16(case) -> None:
    """Under autocast and cast, where images may stay in fp32."""
    stem, image = calibrate(make_stem(case), images(24, 24)).eval(), images(24, 24)
    expected = stem(image).mean()
    with torch.autocast('cpu', torch.bfloat16):
        assert stem(image).isfinite().all()
    cast = copy.deepcopy(stem).bfloat16()(image)
    assert cast.dtype == torch.bfloat16
    assert 0.5 * expected < cast.float().mean() < 2 * expected


@EVERY
def test_folded_norms_change_no_spike(case) -> None:
    stem = calibrate(make_stem(case).double(), images(dtype=torch.float64)).eval()
    folded = fold_norms(stem)
    assert not any(isinstance(m, nn.BatchNorm2d) for m in folded.modules())
    image = images(dtype=torch.float64)
    torch.testing.assert_close(folded(image), stem(image), rtol=1e-9, atol=1e-9)


@EVERY
def test_memory_efficient_is_the_same(case) -> None:
    plain = nn.Sequential(make_stem(case))
    lean = copy.deepcopy(plain)
    lean[0].recompute = True
    check_same(plain, lean, images())


@pytest.mark.parametrize(
    'case',
    [
        # compilers take half a second; other presets differ in sizes
        pytest.param(
            case,
            marks=() if case[1] or case[0] in ('imagenet', 'gac') else pytest.mark.slow,
            id=case_id(case),
        )
        for case in STEM_CASES
    ],
)
def test_compiled_training(case) -> None:
    torch._dynamo.reset()
    stem = make_stem(case).double()
    other, image = copy.deepcopy(stem), images(dtype=torch.float64)
    results = []
    for module in (torch.compile(stem, backend='aot_eager', fullgraph=True), other):
        torch.manual_seed(1)
        out = module(image)
        out.square().sum().backward()
        results.append((out.detach(), [p.grad for p in module.parameters()]))
    torch.testing.assert_close(*results, rtol=1e-9, atol=1e-9)
    torch._dynamo.reset()


@EVERY
def test_exported(case) -> None:
    stem = make_stem(case).eval()
    program = torch.export.export(stem, (images(),)).module()
    image = images()
    assert torch.equal(program(image), stem(image))


@EVERY
def test_fake_cuda(case) -> None:
    with FakeTensorMode(), torch.device('cuda'):
        stem = make_stem(case)
        leaves = fake_gradients([stem(images())])
    assert leaves.keys() == set(stem.parameters())
    assert {grad.device.type for grad in leaves.values()} == {'cuda'}


@EVERY
def test_images_that_do_not_fit(case) -> None:
    for shape in ((2, 1, 9, 9), (3, 9, 9), (2, STEPS - 1, 3, 9, 9), (2, 8, 1, 9, 9)):
        with pytest.raises(ValueError, match=r'\[N, 3, H, W\].*but got '):
            make_stem(case)(torch.zeros(shape))


@pytest.mark.parametrize('name', STEMS)
def test_signature_and_arguments(name: str) -> None:
    parameters = inspect.signature(MODELS.get(name)).parameters
    assert StemOptions.__annotations__.keys() <= parameters.keys()
    assert 'options' not in parameters
    with pytest.raises(TypeError, match="unexpected keyword argument 'kernel'"):
        build_stem(dict(type=name, kernel=3), 3, 4, layers(STEPS))
    for given in ('spiking', 'out_channels'):
        with pytest.raises(ValueError, match=f'must not set {given}'):
            build_stem({'type': name, given: 1}, 3, 4, layers(STEPS))


@EVERY
def test_other_numbers_of_steps(case) -> None:
    """Stems work on any number of time steps unless they say otherwise."""
    stem = make_stem(case)
    parts = [part for part in stem.modules() if hasattr(part, 'num_steps')]
    fixed = any(getattr(part, 'step_dims', None) for part in stem.modules())
    if fixed or stem.fixed_num_steps:
        pytest.skip('made for one number of time steps')
    for part in parts:
        part.num_steps = 3
    assert stem(images()).shape[0] == 3 * 2
