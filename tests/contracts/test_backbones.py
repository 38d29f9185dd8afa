"""What every registered backbone keeps to, with every residual family."""

import copy
import inspect
import io
from dataclasses import fields
from typing import get_type_hints

import pytest
import torch
from torch import Tensor, nn

from mmsnn.deploy import fold_norms
from mmsnn.models import SpikeDecoder
from mmsnn.models.backbones import BackboneOptions, BackboneSettings
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

CLASSES = pytest.mark.parametrize('name', BACKBONES)


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
    """Nor what enters a neuron, but for rounding."""
    backbone = copy.deepcopy(shared)
    for norm in norms(backbone):
        nn.init.uniform_(norm.weight, 0.5, 1.5)
        norm.bias.add_(torch.empty_like(norm.bias).uniform_(-0.2, 0.4))
    folded, image, runs = fold_norms(backbone), images(), []
    assert len(norms(folded)) < len(norms(backbone))
    for network in (backbone, folded):
        seen: list[tuple[Tensor, Tensor]] = []
        for neuron in network.modules():
            if isinstance(neuron, BaseNeuron):
                neuron.register_forward_hook(
                    lambda _, x, y, seen=seen: seen.append((x[0], y))
                )
        levels = network(image)
        assert fires(levels)
        runs.append((levels, *zip(*seen, strict=True)))
    (levels, currents, spikes), (right_levels, right_currents, right_spikes) = runs
    # features of a graded stem are not spikes
    torch.testing.assert_close(levels, right_levels, rtol=1e-9, atol=1e-9)
    torch.testing.assert_close(currents, right_currents, rtol=1e-9, atol=1e-9)
    assert equal(spikes, right_spikes) and any(x.any() for x in spikes)


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


def test_the_options_are_the_settings() -> None:
    options = get_type_hints(BackboneOptions)
    assert [*options] == [field.name for field in fields(BackboneSettings)]
    assert options == get_type_hints(BackboneSettings)


@CLASSES
def test_the_signature_is_what_the_backbone_takes(name: str) -> None:
    """With its defaults and the required arguments alone it makes the same network."""
    backbone = MODELS.get(name)
    parameters = inspect.signature(backbone).parameters.values()
    given = {parameter.name: parameter.default for parameter in parameters}
    assert given.keys() >= {field.name for field in fields(BackboneSettings)}
    needed = {
        argument: value
        for argument, value in backbone_arguments(name).items()
        if given[argument] is inspect.Parameter.empty
    }
    if name in ('MSResNet', 'EMSResNet'):  # whose defaults depend on other arguments
        given |= dict(stem='ms', strides=(2, 2, 2, 2))
        given['zero_init_residual'] = name == 'MSResNet'
    with torch.device('meta'):
        networks = backbone(**{**given, **needed}), backbone(**needed)
    shapes = [
        {key: value.shape for key, value in net.state_dict().items()}
        for net in networks
    ]
    assert shapes[0] == shapes[1]
    kinds = [list(map(type, net.modules())) for net in networks]
    assert kinds[0] == kinds[1]
    assert {net.num_steps for net in networks} == {given['num_steps']}
