"""Parameters and state dicts behave as those of any other module."""

import pytest
import torch
from torch.nn.utils import parameters_to_vector, prune, vector_to_parameters

from mmsnn.deploy import fold_norms, to_channels_last

from ..helpers import make_backbone


@pytest.fixture(params=['built', 'initialised', 'folded'])
def backbone(request):
    backbone = make_backbone('SG-BSG').eval()
    if request.param != 'built':
        backbone.init_weights()
    return fold_norms(backbone) if request.param == 'folded' else backbone


def test_everything_is_contiguous(backbone):
    # what safetensors.save_file and in-place views require
    assert all(value.is_contiguous() for value in backbone.state_dict().values())


def test_parameters_as_a_vector(backbone):
    vector = parameters_to_vector(backbone.parameters())
    vector_to_parameters(vector + 1, backbone.parameters())
    torch.testing.assert_close(
        parameters_to_vector(backbone.parameters()), vector + 1, rtol=0, atol=0
    )


def test_lbfgs():
    backbone = make_backbone('SG-BSG')
    optimizer = torch.optim.LBFGS(backbone.parameters(), max_iter=1)
    image = torch.randn(2, 3, 32, 32)
    before = parameters_to_vector(backbone.parameters())

    def closure():
        optimizer.zero_grad()
        loss = sum(level.square().mean() for level in backbone(image))
        loss.backward()
        return loss

    optimizer.step(closure)
    assert not torch.equal(parameters_to_vector(backbone.parameters()), before)


def test_pruning(backbone):
    conv = next(m for m in backbone.modules() if isinstance(m, torch.nn.Conv2d))
    prune.l1_unstructured(conv, 'weight', 0.5)
    assert (conv.weight == 0).float().mean() == pytest.approx(0.5, abs=0.01)


def test_channels_last_on_request(backbone):
    image = torch.randn(1, 3, 32, 32)
    before = {name: value.clone() for name, value in backbone.state_dict().items()}
    expected = backbone(image)
    assert to_channels_last(backbone) is backbone
    for name, value in backbone.state_dict().items():
        assert torch.equal(value, before[name])
    for module in backbone.modules():
        if type(module) is torch.nn.Conv2d:
            assert module.weight.is_contiguous(memory_format=torch.channels_last)
            assert module.weight.is_leaf
    torch.testing.assert_close(backbone(image), expected)
    # loading keeps the layout, folding too
    backbone.load_state_dict(before)
    for module in fold_norms(backbone).modules():
        if type(module) is torch.nn.Conv2d:
            assert module.weight.is_contiguous(memory_format=torch.channels_last)
