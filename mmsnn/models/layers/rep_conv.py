"""Re-parameterised convolution: a chain of linear layers, or one 3x3 convolution."""

from typing import Any, cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from .unit import LayerFactory


class PaddedNorm(nn.Module):
    r"""A batch norm, then a border of one pixel with the norm's value of 0.

    .. math::
        y = \mathrm{BN}(x) \text{ inside}, \qquad
        y = \beta - \mu \gamma / \sqrt{\sigma^2 + \epsilon} \text{ on the border}

    It is the norm of a zero-padded input, with statistics that do not count the
    padding. The border has no gradient. In training, :math:`\mu` and :math:`\sigma` are
    those of the batch, inside and on the border; in the code of Yao et al. (2024) the
    border has the running ones.

    Args:
        channels: Number of channels.
        layers: Builds the norm.

    Shape:
        ``[N, C, H, W]`` to ``[N, C, H + 2, W + 2]``.

    Raises:
        TypeError: If ``norm_cfg`` is not an affine batch norm with running statistics.
    """

    def __init__(self, channels: int, layers: LayerFactory) -> None:
        super().__init__()
        self.norm = layers.make_norm(channels)
        kept = isinstance(self.norm, _BatchNorm) and self.norm.running_mean is not None
        if not kept or not self.norm.affine:
            raise TypeError(
                'RepConv needs affine batch norms with running statistics, but got '
                f'norm_cfg={dict(layers.norm_cfg)}'
            )

    def forward(self, x: Tensor) -> Tensor:
        """Return the norm's output with a border."""
        frame = F.pad(x.new_zeros(x.shape[-2:]), [1] * 4, value=1.0)
        border = self.value_of_zero(x)[:, None, None]
        return F.pad(self.norm(x), [1] * 4) + frame * border

    @torch.no_grad()
    def value_of_zero(self, x: Tensor) -> Tensor:
        """Return the norm's output for 0, per channel, in the dtype of ``x``."""
        norm: Any = self.norm
        variance, mean = norm.running_var, norm.running_mean
        if norm.training:
            variance, mean = torch.var_mean(
                x.to(norm.weight.dtype), (0, 2, 3), correction=0
            )
        value = norm.bias - mean * norm.weight / (variance + norm.eps).sqrt()
        return value.to(x.dtype)


class RepConv(nn.Module):
    r"""1x1 convolution, padded norm, depthwise 3x3, 1x1 convolution and norm.

    (Yao et al. 2024, *Spike-driven Transformer V2*.) There are no neurons between the
    layers, so in evaluation mode they equal one 3x3 convolution, which :meth:`merged`
    returns. In the chain, all convolutions but the first multiply analog
    values; the merged one accumulates, with 9 C^2 weights instead of 2 C^2 + 9 C.

    Args:
        channels: Number of input and output channels.
        layers: Builds the layers.

    Shape:
        ``[N, C, H, W]`` to the same shape.

    Raises:
        TypeError: If the norms are not batch norms with running statistics.
    """

    def __init__(self, channels: int, layers: LayerFactory) -> None:
        super().__init__()
        self.pointwise1 = layers.make_conv(channels, channels, 1, 1)
        self.padded_norm = PaddedNorm(channels, layers)
        self.depthwise = nn.Conv2d(channels, channels, 3, groups=channels, bias=False)
        self.pointwise2 = layers.make_conv(channels, channels, 1, 1)
        self.norm = layers.make_norm(channels)

    def forward(self, x: Tensor) -> Tensor:
        """Return the output of the chain."""
        x = self.depthwise(self.padded_norm(self.pointwise1(x)))
        return self.norm(self.pointwise2(x))

    @torch.no_grad()
    def merged(self) -> nn.Conv2d:
        r"""Return the 3x3 convolution that computes the same in evaluation mode.

        With the norms as :math:`a x + b`, weight and bias are

        .. math::
            W_{oi} = a_{2,o} \sum_c P_{2,oc}\, D_c\, a_{1,c}\, P_{1,ci}, \qquad
            b_o = a_{2,o} \sum_c P_{2,oc}\, b_{1,c} \sum_{hw} D_{c,hw} + b_{2,o}

        Raises:
            ValueError: If the norms are folded, or in training mode.
        """
        (a1, b1), (a2, b2) = _affine(self.padded_norm.norm), _affine(self.norm)
        first, last = (
            cast(nn.Conv2d, conv).weight.double()[:, :, 0, 0]
            for conv in (self.pointwise1, self.pointwise2)
        )
        depth = self.depthwise.weight.double()[:, 0]
        weight = torch.einsum('o,oc,chw,c,ci->oihw', a2, last, depth, a1, first)
        bias = a2 * (last @ (b1 * depth.sum((1, 2)))) + b2
        channels = len(a2)
        conv = nn.Conv2d(channels, channels, 3, padding=1).to(self.depthwise.weight)
        conv.weight.copy_(weight)
        conv.bias.copy_(bias)  # type: ignore[union-attr]
        return conv.train(self.training)


def _affine(norm: nn.Module) -> tuple[Tensor, Tensor]:
    """Return scale and shift of a batch norm in evaluation mode, in fp64."""
    if not isinstance(norm, _BatchNorm) or norm.training:
        raise ValueError(
            'a RepConv is merged in evaluation mode, before norms are folded, but its '
            f'norm is {norm}, training={norm.training}'
        )
    variance, mean = (cast(Tensor, x) for x in (norm.running_var, norm.running_mean))
    scale = norm.weight.double() / (variance.double() + norm.eps).sqrt()
    return scale, norm.bias.double() - mean.double() * scale


__all__ = ['PaddedNorm', 'RepConv']
