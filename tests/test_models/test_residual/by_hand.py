"""A residual block's layers, computed by other code than the block's own.

Convolutions are PyTorch's function, statistics of norms are written out, neurons are
SpikingJelly's run step by step. Only the parameters are the block's.
"""

import torch
import torch.nn.functional as F
from spikingjelly.activation_based import neuron as sj_neuron
from spikingjelly.activation_based import surrogate as sj_surrogate
from torch import Tensor, nn

from mmsnn.models.layers import LayerFactory
from mmsnn.models.residual import ResidualBlock, Values

STEPS = 3
LAYERS = {
    name: LayerFactory(STEPS, {'type': name}, {'type': 'BN'})
    for name in ('IF', 'LIF', 'PLIF')
}
_THEIR_NEURONS = {'IF': sj_neuron.IFNode, 'LIF': sj_neuron.LIFNode}


class ByHand:
    """What the formula of a block is written in.

    Attributes:
        c1, c2: The branch's convolutions. The first of a bottleneck stands for its 1x1,
            the norm and the neuron behind that, and the 3x3: all families have these
            four in this order.
        n1, n2: The branch's norms, without the one that is part of ``c1``.
        pool: The shortcut's max-pool, of windows of its stride.
        pc, pn, ps: Convolution, norm and neuron of the projection; the identity where
            nothing is projected.
        nx: The norm of the shortcut, projected or not.
        ny: The norm behind the merge.
        s: A neuron.
    """

    def __init__(self, block: ResidualBlock, neuron: str = 'IF') -> None:
        self.block = block
        self.node = _THEIR_NEURONS[neuron](surrogate_function=sj_surrogate.ATan())
        self.projects = block.projection is not None and 'C' in block.projection.order
        kinds = nn.Conv2d | nn.BatchNorm2d
        layers = [m for m in block.branch.modules() if isinstance(m, kinds)]
        self.lead: list[nn.Module] = []
        if len(block.branch) == 3:
            start = [isinstance(m, nn.Conv2d) for m in layers].index(True)
            self.lead = layers[start : start + 2]
            del layers[start : start + 2]
        self.convs = [m for m in layers if isinstance(m, nn.Conv2d)]
        self.norms = [m for m in layers if isinstance(m, nn.BatchNorm2d)]

    def c1(self, x: Tensor) -> Tensor:
        if self.lead:
            point, norm = self.lead
            x = self.s(batch_norm(norm, conv(point, x)))
        return conv(self.convs[0], x)

    def c2(self, x: Tensor) -> Tensor:
        return conv(self.convs[1], x)

    def n1(self, x: Tensor) -> Tensor:
        return batch_norm(self.norms[0], x)

    def n2(self, x: Tensor) -> Tensor:
        return batch_norm(self.norms[1], x)

    def pool(self, x: Tensor) -> Tensor:
        pool = self.block.pool
        if pool is None:
            return x
        # sizes are rounded up: nothing is found in what is missing
        odd = [-size % pool.stride for size in x.shape[-2:]]
        x = F.pad(x, (0, odd[1], 0, odd[0]), value=-torch.inf)
        windows = x.unfold(2, 2, 2).unfold(3, 2, 2)
        return windows.amax((-2, -1))

    def pc(self, x: Tensor) -> Tensor:
        return conv(self.block.projection.conv, x) if self.projects else x

    def pn(self, x: Tensor) -> Tensor:
        return self.nx(x) if self.projects else x

    def ps(self, x: Tensor) -> Tensor:
        return self.s(x) if self.projects else x

    def nx(self, x: Tensor) -> Tensor:
        return batch_norm(self.block.projection.norm, x)

    def ny(self, x: Tensor) -> Tensor:
        return batch_norm(self.block.post.norm, x)

    def s(self, x: Tensor) -> Tensor:
        self.node.reset()
        steps = x.unflatten(0, (STEPS, -1))
        return torch.stack([self.node(current) for current in steps]).flatten(0, 1)

    def gate(self, h: Tensor) -> Tensor:
        """Return the learned gate of BSG*, its paper's thr at 0.5."""
        merge = self.block.merge
        return sj_surrogate.ATan()(merge.weight * h + merge.bias - 0.5)


def conv(layer: nn.Conv2d, x: Tensor) -> Tensor:
    padding = layer.weight.shape[-1] // 2
    return F.conv2d(x, layer.weight, stride=layer.stride, padding=padding)


def batch_norm(layer: nn.BatchNorm2d, x: Tensor) -> Tensor:
    mean = x.mean((0, 2, 3), keepdim=True)
    variance = ((x - mean) ** 2).mean((0, 2, 3), keepdim=True)
    weight, bias = (p.view(1, -1, 1, 1) for p in (layer.weight, layer.bias))
    return (x - mean) / (variance + 1e-5).sqrt() * weight + bias


@torch.no_grad()
def scatter(module: nn.Module) -> nn.Module:
    """Give norms and gates parameters that differ and keep the neurons busy."""
    for name, parameter in module.named_parameters():
        if parameter.dim() == 1 or 'merge' in name:
            low, high = (0.6, 1.4) if name.endswith('weight') else (-0.2, 0.8)
            parameter.uniform_(low, high)
    return module


def sample(values: Values, *shape: int, dtype: torch.dtype | None = None) -> Tensor:
    """Return a random tensor of what travels between blocks, with gradient."""
    if values == 'analog':
        x = torch.randn(shape, dtype=dtype)
    elif values == 'integer':
        x = torch.randint(0, 4, shape).to(dtype or torch.float32)
    else:
        x = (torch.rand(shape) < 0.4).to(dtype or torch.float32)
    return x.requires_grad_()


def assert_same(y: Tensor, expected: Tensor, x: Tensor, module: nn.Module) -> None:
    """Compare outputs and their gradients by ``x`` and all parameters, in float64."""
    if (y.detach() % 1 == 0).all():
        assert torch.equal(y, expected)  # not one spike differs
    torch.testing.assert_close(y, expected)
    names, parameters = zip(*module.named_parameters(), strict=True)
    upstream = torch.randn_like(y)
    sources = (x, *parameters)
    grads = torch.autograd.grad(y, sources, upstream)
    expected_grads = torch.autograd.grad(expected, sources, upstream)
    for name, grad, hand in zip(('x', *names), grads, expected_grads, strict=True):
        assert grad.any(), name
        torch.testing.assert_close(grad, hand, msg=lambda m, name=name: f'{name}: {m}')
