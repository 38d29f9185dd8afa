"""Base of spiking backbones: outputs, closing layers, freezing, initialisation."""

import inspect
from collections.abc import Sequence
from typing import ClassVar

from mmengine.model import BaseModule
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from mmsnn.models.layers import LayerFactory, Unit, set_recompute
from mmsnn.models.neurons import current_steps
from mmsnn.models.residual import ResidualBlock, Values, Wiring
from mmsnn.utils import check_bool, check_sequence, describe
from mmsnn.utils.preflight import loads_weights
from mmsnn.utils.signatures import spell_out

from .settings import BackboneOptions, BackboneSettings


def check_out_indices(out_indices: Sequence[int], num_stages: int) -> tuple[int, ...]:
    """Return ``out_indices`` as a tuple of existing stages in ascending order.

    Raises:
        TypeError: If it is not a sequence.
        ValueError: If a stage does not exist, or they do not ascend.
    """
    check_sequence('out_indices', out_indices, 'stages')
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


def family_layers(
    family: Wiring, layers: LayerFactory, zero_init_residual: bool
) -> LayerFactory:
    """Return the layer factory that a residual family needs.

    Args:
        family: The family.
        layers: The layer factory of the backbone's settings.
        zero_init_residual: Whether blocks start as the identity.

    Raises:
        TypeError: If ``zero_init_residual`` is not a bool, or norms depend on the
            threshold of neurons whose threshold is not known.
        ValueError: If blocks without shortcuts are to start as the identity, or a merge
            that is defined for spikes in {0, 1} is to take integers.
    """
    if check_bool('zero_init_residual', zero_init_residual) and family.merge is None:
        raise ValueError('zero_init_residual needs shortcuts, but the family has none')
    merge = family.merge
    if merge is not None and merge.keeps_spikes and layers.spike_values != 'binary':
        raise ValueError(
            f'{merge.__name__} is defined for spikes in {{0, 1}}, but the neuron '
            f'{layers.neuron} returns integers; use a family that adds, or max_value=1'
        )
    return layers.scaled_to_threshold() if family.threshold_norm else layers


def values_after(stem: nn.Module, values: Values, carried: bool) -> Values:
    """Return the kind of values between the layers or blocks after a stem.

    Args:
        stem: The stem, whose output may be graded.
        values: The kind if it is not.
        carried: Whether the stem's output is passed on unchanged, such as by shortcuts
            up to the next projection.
    """
    return 'analog' if carried and getattr(stem, 'graded', False) else values


class SpikingBackbone(BaseModule):
    """Base of spiking backbones: a stem, stages, and closing layers at the outputs.

    Inside, time is folded into the batch dimension, ``[T * N, C, H, W]``; only neurons
    unfold it. No state is kept between calls, see :func:`mmsnn.streaming.step`.

    Derived classes take ``**options: Unpack[BackboneOptions]`` in addition to their own
    arguments, convert them with ``self.settings(options)``, and build stem and stages.

    Args:
        settings: The arguments that all backbones take.
        stem: Turns images or frames into ``[T * N, C, H, W]``.
        stages: One module per stage, up to the last of ``out_indices``.
        channels: Output channels of each stage.
        out_indices: Stages whose features are returned, as ``check_out_indices``
            returns them.
        values: Kind of values between blocks.
        closing: Layers (letters N and S, or none) between a stage and its output.
        layers: Builds the closing layers.
        zero_init_residual: Whether residual blocks start as the identity.

    Attributes:
        num_steps: Number of time steps T.
        out_channels: Channels of each output.
        values: Kind of values between blocks: ``'binary'`` (spikes), ``'integer'``
            (sums of spikes) or ``'analog'``.
        out_values: Kind of values of the outputs, ``'binary'`` after closing neurons.

    Raises:
        TypeError: If an argument has the wrong type.
        ValueError: If an argument is out of range.
    """

    defaults: ClassVar[BackboneOptions] = {}
    """Defaults of a class that differ from those of :class:`BackboneSettings`."""

    def __init_subclass__(cls) -> None:
        """Show the options in ``help()`` and in the signature."""
        super().__init_subclass__()
        defaults = {**vars(BackboneSettings()), **cls.defaults}
        cls.__signature__ = spell_out(cls, defaults)

    @classmethod
    def settings(cls, options: BackboneOptions) -> BackboneSettings:
        """Return the options merged with the class's defaults.

        Raises:
            TypeError: If an option is unknown, or has the wrong type.
            ValueError: If an option is out of range.
        """
        unknown = [n for n in options if n not in BackboneOptions.__annotations__]
        if unknown:
            allowed = inspect.signature(cls).parameters
            raise TypeError(
                f'{cls.__name__} got an unexpected keyword argument {unknown[0]!r}; it '
                f'takes {", ".join(allowed)}'
            )
        merged: BackboneOptions = {**cls.defaults, **options}
        return BackboneSettings(**merged)

    def __init__(
        self,
        settings: BackboneSettings,
        *,
        stem: nn.Module,
        stages: Sequence[nn.Module],
        channels: Sequence[int],
        out_indices: tuple[int, ...],
        values: Values,
        closing: str,
        layers: LayerFactory,
        zero_init_residual: bool = False,
    ) -> None:
        init_cfg = settings.init_cfg
        if init_cfg is None:
            init_cfg = dict(type='Kaiming', layer='Conv2d')
        super().__init__(init_cfg)
        self.num_steps = settings.num_steps
        self.in_channels = settings.in_channels
        self.out_indices = out_indices
        spikes = layers.spike_values
        self.values: Values = spikes if values == 'binary' else values
        self.out_values: Values = spikes if closing.endswith('S') else self.values
        self.norm_eval = settings.norm_eval
        self.zero_init_residual = check_bool('zero_init_residual', zero_init_residual)
        self.stem = stem
        self.stages = nn.ModuleList(stages)
        self.out_channels = tuple(channels[i] for i in out_indices)
        self.closings = nn.ModuleDict()
        for i, width in zip(out_indices, self.out_channels, strict=True):
            self.closings[str(i)] = Unit(closing, width, width, 1, 1, layers)
        self.memory_efficient = settings.memory_efficient
        set_recompute(self, self.memory_efficient)
        stages_built = len(self.stages)
        self.frozen_stages = _check_frozen_stages(settings.frozen_stages, stages_built)
        self._freeze()

    def init_weights(self) -> None:
        """Apply ``init_cfg``, then ``zero_init_residual`` unless weights are loaded."""
        fresh = not self.is_init
        super().init_weights()
        cfgs = self.init_cfg if isinstance(self.init_cfg, list) else [self.init_cfg]
        loaded = any(map(loads_weights, cfgs))
        if fresh and self.zero_init_residual and not loaded:
            for module in self.modules():
                if isinstance(module, ResidualBlock):
                    module.init_identity()

    def forward(self, image: Tensor) -> tuple[Tensor, ...]:
        """Return the features of ``out_indices``, each ``[T, N, C_i, H_i, W_i]``.

        Args:
            image: Images ``[N, C, H, W]`` or frames ``[N, T, C, H, W]``.

        Raises:
            ValueError: If the input has another shape.
        """
        x = self.stem(image)
        outs, num_steps = [], current_steps(self.num_steps)
        for i, stage in enumerate(self.stages):
            x = stage(x)
            if i in self.out_indices:
                out = self.closings[str(i)](x)
                outs.append(out.unflatten(0, (num_steps, -1)))
        return tuple(outs)

    def train(self, mode: bool = True) -> 'SpikingBackbone':
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
        frozen = [self.stem, *self.stages[: self.frozen_stages]]
        frozen += [
            closing
            for i, closing in self.closings.items()
            if int(i) < self.frozen_stages
        ]
        for part in frozen:
            part.eval()
            part.requires_grad_(False)
