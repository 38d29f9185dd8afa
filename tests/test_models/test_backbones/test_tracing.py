"""Traced training steps, TorchScript, and what is refused."""

from pathlib import Path

import pytest
import torch
from torch import Tensor, nn
from torch._subclasses import FakeTensorMode
from torch.fx.experimental.proxy_tensor import make_fx

from .networks import make_active

IMAGES = (2, 3, 64, 64)


def make(**options) -> nn.Module:
    return make_active('SG-BSG', 10, neuron=dict(type='PLIF', v_reset=-0.1), **options)


@pytest.mark.parametrize('memory_efficient', [False, True])
def test_training_step_of_make_fx(memory_efficient) -> None:
    """Forward and backward in one graph."""
    net = make(memory_efficient=memory_efficient).train()
    parameters = {k: p.detach() for k, p in net.named_parameters()}
    buffers = {k: b.clone() for k, b in net.named_buffers()}

    def gradients(parameters: dict[str, Tensor], image: Tensor) -> list[Tensor]:
        learned = {k: p.detach().requires_grad_() for k, p in parameters.items()}
        state = {**learned, **{k: b.clone() for k, b in buffers.items()}}
        levels = torch.func.functional_call(net, state, (image,))
        return torch.autograd.grad(sum(x.sum() for x in levels), list(learned.values()))

    traced = make_fx(gradients)(parameters, torch.randn(IMAGES))
    image = torch.randn(IMAGES)
    found, expected = traced(parameters, image), gradients(parameters, image)
    assert all(map(torch.equal, found, expected))
    assert any('multi_step_backward' in str(node.target) for node in traced.graph.nodes)


def test_training_with_fake_tensors() -> None:
    net = make(memory_efficient=True).train()
    with FakeTensorMode(allow_non_fake_inputs=True) as mode:
        image = mode.from_tensor(torch.randn(IMAGES)).requires_grad_()
        sum(level.sum() for level in net(image)).backward()
    assert image.grad.shape == image.shape


@torch.no_grad()
def test_saved_torchscript(tmp_path: Path) -> None:
    net = make().eval()
    traced = torch.jit.trace(net, torch.randn(IMAGES), check_trace=False)
    torch.jit.save(traced, tmp_path / 'net.pt')
    image, loaded = torch.randn(IMAGES), torch.jit.load(tmp_path / 'net.pt')
    for level, right in zip(loaded(image), net(image), strict=True):
        assert right.any()
        assert torch.equal(level, right)
        assert level.stride() == right.stride()


def test_torchscript_onnx_is_refused(tmp_path: Path) -> None:
    """Its files computed something else."""
    path = tmp_path / 'net.onnx'
    with pytest.raises(NotImplementedError, match=r'use torch\.export'):
        torch.onnx.export(make().eval(), torch.randn(IMAGES), path, dynamo=False)
    assert not path.exists()
