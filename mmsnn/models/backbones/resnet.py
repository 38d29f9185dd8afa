"""The one spiking ResNet: its residual family is an argument."""

from collections.abc import Mapping, Sequence
from typing import Any

from mmengine.model import BaseModule
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from mmsnn.models.layers import LayerFactory
from mmsnn.models.residual import (
    FAMILIES,
    BasicBlock,
    Bottleneck,
    ResidualBlock,
    Wiring,
)
from mmsnn.models.stems import build_stem
from mmsnn.registry import MODELS
from mmsnn.utils import check_bool, check_choice, check_positive_int, describe

ARCHITECTURES: dict[int, tuple[type[ResidualBlock], tuple[int, int, int, int]]] = {
    10: (BasicBlock, (1, 1, 1, 1)),
    18: (BasicBlock, (2, 2, 2, 2)),
    34: (BasicBlock, (3, 4, 6, 3)),
    50: (Bottleneck, (3, 4, 6, 3)),
    101: (Bottleneck, (3, 4, 23, 3)),
    152: (Bottleneck, (3, 8, 36, 3)),
}
"""Block and blocks a stage, by depth (He et al. 2016; 10: SG paper, Table 1)."""

IF_NEURON: Mapping[str, Any] = dict(type='IF')
BATCH_NORM: Mapping[str, Any] = dict(type='BN', requires_grad=True)


def _check_out_indices(out_indices: Sequence[int], num_stages: int) -> tuple[int, ...]:
    """Return ``out_indices`` as a tuple, ascending, of existing stages."""
    if isinstance(out_indices, (str, bytes)) or not isinstance(out_indices, Sequence):
        raise TypeError(
            f'out_indices must be a sequence of stages, but got {describe(out_indices)}'
        )
    indices = tuple(out_indices)
    allowed = range(num_stages)
    if not indices or any(type(i) is not int or i not in allowed for i in indices):
        raise ValueError(
            f'out_indices must name stages 0 to {num_stages - 1}, but got {out_indices}'
        )
    if list(indices) != sorted(set(indices)):
        raise ValueError(f'out_indices must ascend without repeats, but got {indices}')
    return indices


def _check_frozen_stages(frozen_stages: int, num_stages: int) -> int:
    if type(frozen_stages) is not int:
        raise TypeError(
            f'frozen_stages must be an integer, but got {describe(frozen_stages)}'
        )
    if not -1 <= frozen_stages <= num_stages:
        raise ValueError(
            f'frozen_stages must be -1 to {num_stages}, the stages that are built, '
            f'but got {frozen_stages}'
        )
    return frozen_stages


@MODELS.register_module()
class ResNetSNN(BaseModule):
    """A spiking ResNet of any residual family.

    Features are folded over time inside, ``[T * N, C, H, W]``; neurons alone unfold it.
    Nothing is carried from one call to the next. Stages behind the last of
    ``out_indices`` are not built: they could receive no gradient.

    Args:
        depth: 10, 18, 34 (basic blocks), 50, 101 or 152 (bottlenecks).
        family: A row of :data:`mmsnn.models.residual.FAMILIES`, by name or itself.
        num_steps: Number of time steps T.
        in_channels: Channels of the image.
        base_channels: Channels of the stem and of the first stage's 3x3 convolutions.
        out_indices: Stages whose features are returned, of 0 to 3.
        stem: ``'imagenet'``, ``'cifar'`` or a stem's config, see
            :func:`mmsnn.models.stems.build_stem`.
        neuron: Neuron config, see :func:`mmsnn.models.neurons.build_neuron`.
        conv_cfg: MMCV's convolution config; None is ``nn.Conv2d``.
        norm_cfg: MMCV's norm config.
        frozen_stages: -1 freezes nothing, 0 the stem, k the stem and stages 1 to k:
            no gradient, and norms in evaluation mode.
        norm_eval: Whether norms stay in evaluation mode while training.
        zero_init_residual: Whether blocks start as the identity (SEW paper, Section
            3.3), by the last norm of their branch.
        init_cfg: MMEngine's initialisation config. None is Kaiming for convolutions and
            ones for norms.

    Shape:
        ``[N, in_channels, H, W]`` to a tuple of ``[T, N, C_i, H / s_i, W / s_i]``, one
        for each of ``out_indices``, ``s_i`` = 4, 8, 16, 32 with the ImageNet stem.

    Attributes:
        out_channels: Channels of each output.

    Raises:
        TypeError: If an argument has the wrong type.
        ValueError: If an argument is out of range, or the image has other channels.
    """

    def __init__(
        self,
        depth: int,
        family: str | Wiring,
        num_steps: int = 4,
        in_channels: int = 3,
        base_channels: int = 64,
        out_indices: Sequence[int] = (3,),
        stem: str | Mapping[str, Any] = 'imagenet',
        neuron: Mapping[str, Any] = IF_NEURON,
        conv_cfg: Mapping[str, Any] | None = None,
        norm_cfg: Mapping[str, Any] = BATCH_NORM,
        frozen_stages: int = -1,
        norm_eval: bool = False,
        zero_init_residual: bool = False,
        init_cfg: Mapping[str, Any] | Sequence[Mapping[str, Any]] | None = None,
    ) -> None:
        if init_cfg is None:
            init_cfg = [
                dict(type='Kaiming', layer='Conv2d'),
                dict(type='Constant', val=1, layer=['_BatchNorm', 'GroupNorm']),
            ]
        super().__init__(init_cfg)
        check_choice('depth', depth, ARCHITECTURES)
        if not isinstance(family, Wiring):
            check_choice('family', family, FAMILIES)
            family = FAMILIES[family]
        block, num_blocks = ARCHITECTURES[depth]
        self.depth = depth
        self.in_channels = check_positive_int('in_channels', in_channels)
        check_positive_int('base_channels', base_channels)
        self.out_indices = _check_out_indices(out_indices, len(num_blocks))
        self.num_steps = check_positive_int('num_steps', num_steps)
        self.norm_eval = check_bool('norm_eval', norm_eval)
        self.zero_init_residual = check_bool('zero_init_residual', zero_init_residual)

        layers = LayerFactory(num_steps, neuron, norm_cfg, conv_cfg)
        self.stem = build_stem(stem, in_channels, base_channels, layers)
        self.stages = nn.ModuleList()
        channels = base_channels
        for stage in range(self.out_indices[-1] + 1):
            blocks = []
            for i in range(num_blocks[stage]):
                stride = 2 if stage > 0 and i == 0 else 1
                width = base_channels * 2**stage
                blocks.append(block(channels, width, stride, family, layers))
                channels = width * block.expansion
            self.stages.append(nn.Sequential(*blocks))
        self.out_channels = tuple(
            base_channels * 2**i * block.expansion for i in self.out_indices
        )
        self.frozen_stages = _check_frozen_stages(frozen_stages, len(self.stages))
        self._freeze()

    def init_weights(self) -> None:
        """Initialise as ``init_cfg`` says, then blocks as the identity if asked to."""
        fresh = not self.is_init
        super().init_weights()
        cfgs = self.init_cfg if isinstance(self.init_cfg, list) else [self.init_cfg]
        loaded = any(cfg['type'] == 'Pretrained' for cfg in cfgs)
        if fresh and self.zero_init_residual and not loaded:
            for module in self.modules():
                if isinstance(module, ResidualBlock):
                    module.init_identity()

    def forward(self, image: Tensor) -> tuple[Tensor, ...]:
        """See the class."""
        if image.dim() != 4 or image.shape[1] != self.in_channels:
            raise ValueError(
                f'expected images of shape [N, {self.in_channels}, H, W], '
                f'but got {list(image.shape)}'
            )
        x = self.stem(image)
        outs = []
        for i, stage in enumerate(self.stages):
            x = stage(x)
            if i in self.out_indices:
                outs.append(x.unflatten(0, (self.num_steps, -1)))
        return tuple(outs)

    def train(self, mode: bool = True) -> 'ResNetSNN':
        """Switch to training mode; frozen stages and ``norm_eval`` stay as they are."""
        super().train(mode)
        self._freeze()
        if mode and self.norm_eval:
            for module in self.modules():
                if isinstance(module, _BatchNorm):
                    module.eval()
        return self

    def _freeze(self) -> None:
        if self.frozen_stages < 0:
            return
        for part in (self.stem, *self.stages[: self.frozen_stages]):
            part.eval()
            part.requires_grad_(False)
