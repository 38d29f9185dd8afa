"""Spike-driven Transformers written out, with the keys of their authors' checkpoints.

Plain PyTorch and SpikingJelly's neurons, one after the other as in the papers' figures:
time is a dimension of its own in neurons, MLPs are 1D, and attention is
``(Q K^T) V``. Outputs are closed by neurons, as in mmsnn.
"""

import torch
from spikingjelly.activation_based import functional as sj_functional
from spikingjelly.activation_based import neuron as sj_neuron
from spikingjelly.activation_based import surrogate as sj_surrogate
from torch import Tensor, nn


class Lif(nn.Module):
    """V2's neurons: ``tau`` 2, hard reset, detached."""

    def __init__(self, steps: int, v_threshold: float = 1.0) -> None:
        super().__init__()
        self.steps = steps
        self.node = sj_neuron.LIFNode(
            tau=2.0,
            v_threshold=v_threshold,
            detach_reset=True,
            surrogate_function=sj_surrogate.Sigmoid(alpha=4.0),
            step_mode='m',
        )

    def forward(self, x: Tensor) -> Tensor:
        sj_functional.reset_net(self.node)
        return self.node(x.unflatten(0, (self.steps, -1))).flatten(0, 1)


class Quantize(nn.Module):
    """V3's neurons at one time step: integers up to 4, divided by 4."""

    largest = 4

    def __init__(self, steps: int, v_threshold: float = 1.0) -> None:
        super().__init__()
        assert steps == 1

    def forward(self, x: Tensor) -> Tensor:
        clipped = x.clamp(0, self.largest)  # whose gradient is 1 inside
        rounded = clipped + (clipped.round() - clipped).detach()
        return rounded / self.largest


class BnAndPad(nn.Module):
    def __init__(self, channels: int) -> None:
        super().__init__()
        self.bn = nn.BatchNorm2d(channels)

    def forward(self, x: Tensor) -> Tensor:
        bn = self.bn
        mean, var = bn.running_mean, bn.running_var
        if self.training:
            mean = x.detach().mean((0, 2, 3))
            var = x.detach().var((0, 2, 3), unbiased=False)
        zero = (bn.bias - mean * bn.weight / (var + bn.eps).sqrt()).detach()
        n, c, h, w = x.shape
        y = zero.view(1, c, 1, 1).repeat(n, 1, h + 2, w + 2)
        y[:, :, 1:-1, 1:-1] = bn(x)
        return y


class RepConv(nn.Module):
    def __init__(self, channels: int) -> None:
        super().__init__()
        conv3x3 = nn.Sequential(
            nn.Conv2d(channels, channels, 3, groups=channels, bias=False),
            nn.Conv2d(channels, channels, 1, bias=False),
            nn.BatchNorm2d(channels),
        )
        conv1x1 = nn.Conv2d(channels, channels, 1, bias=False)
        self.body = nn.Sequential(conv1x1, BnAndPad(channels), conv3x3)

    def forward(self, x: Tensor) -> Tensor:
        return self.body(x)


def conv_bn(c_in: int, c_out: int, k: int = 1, groups: int = 1) -> nn.Sequential:
    conv = nn.Conv2d(c_in, c_out, k, padding=k // 2, groups=groups, bias=False)
    return nn.Sequential(conv, nn.BatchNorm2d(c_out))


class Separable(nn.Module):
    def __init__(self, c: int, k: int, net: 'Reference') -> None:
        super().__init__()
        self.v3, self.s = net.v3, net.neuron(net.steps)
        if self.v3:
            self.pwconv1 = conv_bn(c, 2 * c)
            self.dwconv = conv_bn(2 * c, 2 * c, k, groups=2 * c)
            self.pwconv2 = conv_bn(2 * c, c)
        else:
            self.pwconv1 = nn.Conv2d(c, 2 * c, 1, bias=False)
            self.bn1 = nn.BatchNorm2d(2 * c)
            self.dwconv = nn.Conv2d(
                2 * c, 2 * c, k, padding=k // 2, groups=2 * c, bias=False
            )
            self.pwconv2 = nn.Conv2d(2 * c, c, 1, bias=False)
            self.bn2 = nn.BatchNorm2d(c)

    def forward(self, x: Tensor) -> Tensor:
        s = self.s
        if self.v3:
            return self.pwconv2(s(self.dwconv(s(self.pwconv1(s(x))))))
        return self.bn2(self.pwconv2(self.dwconv(s(self.bn1(self.pwconv1(s(x)))))))


class ConvBlock(nn.Module):
    def __init__(self, c: int, net: 'Reference') -> None:
        super().__init__()
        self.Conv = Separable(c, 7, net)
        self.s = net.neuron(net.steps)
        self.conv1 = nn.Conv2d(c, 4 * c, 3, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(4 * c)
        self.conv2 = nn.Conv2d(4 * c, c, 3, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(c)

    def forward(self, x: Tensor) -> Tensor:
        x = self.Conv(x) + x
        return x + self.bn2(self.conv2(self.s(self.bn1(self.conv1(self.s(x))))))


class Attention(nn.Module):
    def __init__(self, c: int, net: 'Reference') -> None:
        super().__init__()
        self.heads, self.steps = net.heads, net.steps
        self.scale = 2 * (c // net.heads) ** -0.5 if net.v3 else 0.125
        self.s = net.neuron(net.steps)
        self.attn_s = net.neuron(net.steps, v_threshold=0.5)
        for name in 'qkv':
            width = 4 * c if net.v3 and name == 'v' else c
            setattr(self, f'{name}_conv', self.make(c, width, net))
        self.proj_conv = self.make(4 * c if net.v3 else c, c, net)

    def make(self, c_in: int, c_out: int, net: 'Reference') -> nn.Sequential:
        if net.v3:
            return conv_bn(c_in, c_out)
        return nn.Sequential(RepConv(c_in), nn.BatchNorm2d(c_in))

    def split(self, x: Tensor) -> Tensor:
        rows = x.flatten(2).transpose(1, 2)  # [B, L, C]
        return rows.unflatten(2, (self.heads, -1)).transpose(1, 2)

    def forward(self, x: Tensor) -> Tensor:
        s, size = self.s, x.shape[2:]
        x = s(x)
        q, k, v = (
            self.split(s(conv(x))) for conv in (self.q_conv, self.k_conv, self.v_conv)
        )
        y = (q @ k.transpose(-1, -2)) @ v * self.scale
        y = y.transpose(2, 3).flatten(1, 2).unflatten(2, size)
        return self.proj_conv(self.attn_s(y))


class Mlp(nn.Module):
    def __init__(self, c: int, net: 'Reference') -> None:
        super().__init__()
        self.s = net.neuron(net.steps)
        self.fc1_conv, self.fc1_bn = nn.Conv1d(c, 4 * c, 1), nn.BatchNorm1d(4 * c)
        self.fc2_conv, self.fc2_bn = nn.Conv1d(4 * c, c, 1), nn.BatchNorm1d(c)

    def forward(self, x: Tensor) -> Tensor:
        y = self.fc1_bn(self.fc1_conv(self.s(x.flatten(2))))
        return self.fc2_bn(self.fc2_conv(self.s(y))).view_as(x)


class Block(nn.Module):
    def __init__(self, c: int, net: 'Reference') -> None:
        super().__init__()
        if net.v3:
            self.conv = Separable(c, 3, net)
        self.attn, self.mlp = Attention(c, net), Mlp(c, net)

    def forward(self, x: Tensor) -> Tensor:
        if hasattr(self, 'conv'):
            x = x + self.conv(x)
        x = x + self.attn(x)
        return x + self.mlp(x)


class Down(nn.Module):
    def __init__(self, c_in: int, c_out: int, k: int, stride: int) -> None:
        super().__init__()
        self.encode_conv = nn.Conv2d(c_in, c_out, k, stride, k // 2)
        self.encode_bn = nn.BatchNorm2d(c_out)

    def forward(self, x: Tensor) -> Tensor:
        return self.encode_bn(self.encode_conv(x))


class Reference(nn.Module):
    def __init__(
        self,
        channels: tuple[int, ...],
        steps: int,
        v3: bool,
        heads: int = 8,
        neuron: type[nn.Module] | None = None,
    ) -> None:
        super().__init__()
        self.v3, self.steps, self.heads = v3, steps, heads
        self.neuron = neuron or (Quantize if v3 else Lif)
        c0, (c1, c2, c3, c4) = channels[0] // 2, channels
        self.downsample1_1 = Down(3, c0, 7, 2)
        self.downsample1_2 = Down(c0, c1, 3, 2)
        self.downsample2 = Down(c1, c2, 3, 2)
        self.downsample3 = Down(c2, c3, 3, 2)
        self.downsample4 = Down(c3, c4, 3, 1)
        for name, c in {'1_1': c0, '1_2': c1, '2_1': c2, '2_2': c2}.items():
            setattr(self, f'ConvBlock{name}', nn.ModuleList([ConvBlock(c, self)]))
        self.block3 = nn.ModuleList(Block(c3, self) for _ in range(6))
        self.block4 = nn.ModuleList(Block(c4, self) for _ in range(2))
        self.head = nn.Linear(c4, 10)
        self.s = self.neuron(steps)

    def forward(self, image: Tensor) -> list[Tensor]:
        """Return the four features, with neurons at the end of each."""
        x = image.repeat(self.steps, 1, 1, 1)
        x = self.ConvBlock1_1[0](self.downsample1_1(x))
        x = self.ConvBlock1_2[0](self.downsample1_2(self.s(x)))
        outs = [x]
        x = self.downsample2(self.s(x))
        x = self.ConvBlock2_2[0](self.ConvBlock2_1[0](x))
        outs.append(x)
        for down, blocks in (
            (self.downsample3, self.block3),
            (self.downsample4, self.block4),
        ):
            x = down(self.s(x))
            for block in blocks:
                x = block(x)
            outs.append(x)
        return [self.s(x).unflatten(0, (self.steps, -1)) for x in outs]


ENDS = ('encode_bn', 'bn2', 'pwconv2.1', 'proj_conv.1', 'fc2_bn')
"""Norms whose outputs are added to the shortcut."""


@torch.no_grad()
def scatter(net: Reference, image: Tensor) -> Reference:
    """Give norms parameters that differ and keep the neurons busy, and statistics."""
    for name, module in net.named_modules():
        if isinstance(module, nn.modules.batchnorm._BatchNorm):
            low, high = (-0.5, 0.6) if name.endswith(ENDS) else (-0.5, 1.2)
            if not net.v3 and name.endswith(('q_conv.1', 'k_conv.1', 'v_conv.1')):
                low, high = 1.0, 3.0  # products of three are small
            module.weight.uniform_(0.8, 2.0)
            module.bias.uniform_(low, high)
            module.momentum = 1.0
    net.train()(image)
    for module in net.modules():
        if isinstance(module, nn.modules.batchnorm._BatchNorm):
            module.momentum = 0.1
    return net


__all__ = ['Lif', 'Reference', 'scatter']
