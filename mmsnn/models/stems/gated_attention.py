"""Gated attention coding: direct coding with attention weights per time step."""

from collections.abc import Mapping
from typing import ClassVar, Unpack

import torch
from torch import Tensor, nn

from mmsnn.models.layers import LayerFactory
from mmsnn.models.neurons import carried_state, current_steps
from mmsnn.registry import MODELS
from mmsnn.utils import check_bool, check_positive_int

from .base import BaseStem, ConvolutionOptions


class TemporalScores(nn.Module):
    r"""Scores of time steps (Qiu et al., Eq. 2).

    :math:`TA(X) = W_2\,\mathrm{ReLU}(W_1 \mathrm{avg}_{C,H,W} X)
    + W_2\,\mathrm{ReLU}(W_1 \max_{C,H,W} X)`

    ``W_1`` squeezes T to ``T // 2``, ``W_2`` restores it; neither has a bias.

    Args:
        num_steps: Number of time steps T; part of the parameters' shape.

    Shape:
        ``[T, N, C, H, W]``, or ``[1, N, C, H, W]`` for an input that is the same at
        every time step, to ``[T, N, 1, 1, 1]``.

    Raises:
        ValueError: If there is only one time step, which cannot be squeezed.
    """

    step_dims: ClassVar[Mapping[str, int]] = {'mlp.0.weight': 1, 'mlp.2.weight': 0}

    def __init__(self, num_steps: int) -> None:
        super().__init__()
        if num_steps < 2:
            raise ValueError(
                'temporal attention squeezes num_steps to num_steps // 2 and needs at '
                f'least 2 steps, but got num_steps={num_steps}; temporal=False '
                'disables it'
            )
        self.num_steps = num_steps
        squeeze = nn.Linear(num_steps, num_steps // 2, bias=False)
        # The pools of an image are constant over time: for a hidden unit whose weights
        # have a negative sum, which is as likely as a positive one, the maximum never
        # passes the ReLU. With T = 2 that would be half of all stems.
        with torch.no_grad():
            squeeze.weight.abs_()
        restore = nn.Linear(num_steps // 2, num_steps, bias=False)
        self.mlp = nn.Sequential(squeeze, nn.ReLU(inplace=True), restore)

    def forward(self, x: Tensor) -> Tensor:
        """Return the scores of the time steps."""
        pools = torch.stack([x.mean((2, 3, 4)), x.amax((2, 3, 4))])
        pools = pools.expand(-1, self.num_steps, -1).transpose(1, 2)
        return self.mlp(pools).sum(0).t()[:, :, None, None, None]


class SpatialChannelScores(nn.Sequential):
    r"""Scores of the positions and channels at one time step (Qiu et al., Eq. 3).

    :math:`SCA(X) = W_4 * \mathrm{ReLU}(W_3 * X)`, both C to C channels, without bias

    Args:
        channels: Number of channels C.
        kernel_size: Kernel size of both convolutions, which keep the input's size. If
            it is even, the right and bottom are padded by one more, as with PyTorch's
            padding ``'same'``.

    Shape:
        ``[N, C, H, W]`` to the same shape.

    Raises:
        TypeError: If ``kernel_size`` is not an integer.
        ValueError: If ``kernel_size`` is less than 1.
    """

    def __init__(self, channels: int, kernel_size: int) -> None:
        check_positive_int('stem sca_kernel_size', kernel_size)
        before, after = (kernel_size - 1) // 2, kernel_size // 2

        def same_conv() -> list[nn.Module]:
            return [
                nn.ZeroPad2d((before, after, before, after)),
                nn.Conv2d(channels, channels, kernel_size, bias=False),
            ]

        super().__init__(*same_conv(), nn.ReLU(inplace=True), *same_conv())


@MODELS.register_module()
class GatedAttentionStem(BaseStem):
    r"""Gated attention coding, GAC (Qiu et al., Eqs. 2 to 5).

    .. math::
        X = \mathrm{norm}(\mathrm{conv}(image)), \qquad
        y = \sigma\big(TA(X) \odot SCA(X)\big) \odot \mathrm{neuron}(X)

    The output is graded: 0 without a spike, and in (0, 1) with one. The temporal
    weights differ between time steps, so that the output, unlike that of direct coding,
    is not periodic (Proposition 1). For a static image, X and SCA(X), which dominates
    the cost, are the same at every time step and computed once; for frames, once per
    frame.

    Families whose blocks begin with neurons (MS, PA-A and, after a norm, PA-B) convert
    the graded values to spikes before their first convolution, so that the network
    stays spike-driven. In other families the convolutions of the first block multiply,
    as the authors say of Spiking ResNet ("not entirely spike-driven"). Shortcuts
    without neurons after the merge (SEW, SG) pass the graded values on to the next
    projection.

    Where the text is ambiguous, the authors' code and parameter counts are followed:
    the input of the attention is X after the norm; the shared MLP's reduction is 2; SCA
    has two convolutions (one would be +0.07 M parameters, the tables say +0.13 M);
    there is one sigmoid, over the product. The code's stem for ImageNet has no
    max-pool. Unlike in the paper, the weights that squeeze T start non-negative, see
    :class:`TemporalScores`.

    Args:
        in_channels: Channels of the image.
        out_channels: Channels C of the output.
        layers: Builds the layers, including the neurons of the stem.
        spiking: Has no effect: for every family the stem has neurons and its output is
            graded.
        pool: Whether a 3x3 max-pool of stride 2 follows.
        temporal: Whether there is temporal attention; it has ``2 * T * (T // 2)``
            parameters and fixes T.
        spatial_channel: Whether there is spatial-channel attention; it has
            ``2 * sca_kernel_size**2 * C**2`` parameters.
        sca_kernel_size: Kernel size of the spatial-channel attention; k = 4 in the
            paper.
        **options: ``kernel_size``, ``stride``, ``num_convs`` and ``bias`` of the
            convolutions that make X, see :class:`BaseStem`.

    Shape:
        Images ``[N, in_channels, H, W]`` or frames ``[N, T, in_channels, H, W]`` to
        ``[T * N, out_channels, H', W']``.

    Raises:
        TypeError: If an argument has the wrong type.
        ValueError: If a size is less than 1, both attentions are disabled, temporal
            attention has only one time step, or the input has another shape.
    """

    graded = True
    attention_parts = ('temporal', 'spatial_channel')

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        layers: LayerFactory,
        spiking: bool = True,
        pool: bool = False,
        temporal: bool = True,
        spatial_channel: bool = True,
        sca_kernel_size: int = 4,
        **options: Unpack[ConvolutionOptions],
    ) -> None:
        check_bool('spiking', spiking)
        super().__init__(
            in_channels, out_channels, layers, spiking=True, pool=pool, **options
        )
        check_bool('stem temporal', temporal)
        check_bool('stem spatial_channel', spatial_channel)
        if not (temporal or spatial_channel):
            raise ValueError(
                'gated attention coding needs temporal or spatial_channel attention, '
                'but both are False: use DirectStem'
            )
        self.temporal = TemporalScores(layers.num_steps) if temporal else None
        self.spatial_channel = (
            SpatialChannelScores(out_channels, sca_kernel_size)
            if spatial_channel
            else None
        )

    def compute(self, image: Tensor) -> Tensor:
        """Return the weighted spikes of all time steps."""
        x = self.currents(image)
        constant = image.dim() == 4
        if self.temporal is not None and not constant and carried_state():
            raise ValueError(
                'the temporal attention of GatedAttentionStem cannot stream frames, '
                'since its weights depend on all time steps at once; temporal=False '
                'disables it'
            )
        num_steps = current_steps(self.num_steps)
        spikes = self.fire(x, constant).unflatten(0, (num_steps, -1))
        steps = 1 if constant else num_steps
        return self.shrink((spikes * self.gate(x, steps)).flatten(0, 1))

    def gate(self, x: Tensor, steps: int) -> Tensor:
        """Return the weights of the spikes, in (0, 1) (Eq. 4).

        Args:
            x: Currents ``[steps * N, C, H', W']``.
            steps: Number of time steps in ``x``: T, or 1 if all are the same.

        Returns:
            A tensor that broadcasts to ``[T, N, C, H', W']``.
        """
        scores = []
        if self.temporal is not None:
            scores.append(
                self.of_these_steps(self.temporal(x.unflatten(0, (steps, -1))))
            )
        if self.spatial_channel is not None:
            scores.append(self.spatial_channel(x).unflatten(0, (steps, -1)))
        return (scores[0] * scores[1] if len(scores) == 2 else scores[0]).sigmoid()
