"""Spiking ResNets under the names of their papers."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Unpack

import torch.nn.functional as F
from torch import Tensor, nn

from mmsnn.models.neurons import current_steps
from mmsnn.models.residual import FAMILIES, BasicBlock
from mmsnn.models.residual.merges import check_gate_threshold
from mmsnn.models.stems import preset_stride
from mmsnn.registry import MODELS
from mmsnn.utils import check_choice, check_number

from .resnet import STRIDES, Architecture, ResNetOptions, ResNetSNN
from .settings import BackboneOptions


@MODELS.register_module()
class SpikingResNet(ResNetSNN):
    """Spiking ResNet: neurons in place of the ANN's ReLUs (Fang et al. 2021).

    Args:
        depth: See :class:`ResNetSNN`.
        connect: ``'Origin'`` (the ANN's block), ``'tdBN'`` (threshold-dependent norms,
            one on every shortcut; Zheng et al. 2021) or ``'BAA'`` (norm after the
            addition; Li et al.).
        **options: Arguments of :class:`ResNetSNN`, apart from ``family``.

    Raises:
        TypeError: If an argument has the wrong type.
        ValueError: If an argument is out of range.
    """

    choices = {'Origin': 'Spiking', 'tdBN': 'tdBN', 'BAA': 'BAA'}

    def __init__(
        self, depth: int, connect: str = 'Origin', **options: Unpack[ResNetOptions]
    ) -> None:
        check_choice('connect', connect, self.choices)
        super().__init__(depth, self.choices[connect], **options)


@MODELS.register_module()
class SEWResNet(ResNetSNN):
    """Spike-element-wise ResNet (Fang et al. 2021).

    Args:
        depth: See :class:`ResNetSNN`.
        connect: ``'ADD'`` (integers between blocks), ``'AND'`` or ``'IAND'`` (spikes
            between blocks).
        **options: Arguments of :class:`ResNetSNN`, apart from ``family``.

    Raises:
        TypeError: If an argument has the wrong type.
        ValueError: If an argument is out of range.
    """

    choices = {'ADD': 'SEW-ADD', 'AND': 'SEW-AND', 'IAND': 'SEW-IAND'}

    def __init__(
        self, depth: int, connect: str = 'ADD', **options: Unpack[ResNetOptions]
    ) -> None:
        check_choice('connect', connect, self.choices)
        super().__init__(depth, self.choices[connect], **options)


@MODELS.register_module()
class SGResNet(ResNetSNN):
    """Spiking gate ResNet: spikes between all blocks (Zhang et al. 2023).

    Args:
        depth: See :class:`ResNetSNN`.
        gate: ``'BSG'`` (the residual spike is its own gate) or ``'BSG*'`` (learned).
        gate_threshold: The learned gate's threshold, in (0, 1].
        **options: Arguments of :class:`ResNetSNN`, apart from ``family``.

    Raises:
        TypeError: If an argument has the wrong type.
        ValueError: If an argument is out of range.
    """

    choices = {'BSG': 'SG-BSG', 'BSG*': 'SG-BSG*'}

    def __init__(
        self,
        depth: int,
        gate: str = 'BSG',
        gate_threshold: float = 0.5,
        **options: Unpack[ResNetOptions],
    ) -> None:
        check_choice('gate', gate, self.choices)
        family = FAMILIES[self.choices[gate]]
        if gate == 'BSG*':
            threshold = check_gate_threshold('gate_threshold', gate_threshold)
            family = replace(family, merge_options=dict(threshold=threshold))
        super().__init__(depth, family, **options)


@MODELS.register_module()
class DANet(ResNetSNN):
    """Densely additive network (Li et al.).

    Args:
        depth: See :class:`ResNetSNN`.
        variant: ``'A'`` (membrane shortcut, PA-A), ``'B'`` (pre-activation, PA-B),
            ``'C'`` (densely additive Spiking ResNet) or ``'D'`` (densely additive BAA).
        **options: Arguments of :class:`ResNetSNN`, apart from ``family``.

    Raises:
        TypeError: If an argument has the wrong type.
        ValueError: If an argument is out of range.
    """

    choices = {'A': 'DANet-A', 'B': 'DANet-B', 'C': 'DANet-C', 'D': 'DANet-D'}

    def __init__(
        self, depth: int, variant: str = 'A', **options: Unpack[ResNetOptions]
    ) -> None:
        check_choice('variant', variant, self.choices)
        super().__init__(depth, self.choices[variant], **options)


def _strides_after(stem: str | Mapping[str, Any]) -> tuple[int, ...]:
    """Return the stages' strides: after a stem without a pool the first one is 2."""
    halves = isinstance(stem, str) and preset_stride(stem) == 2
    return (2, 2, 2, 2) if halves else STRIDES


@MODELS.register_module()
class EMSResNet(ResNetSNN):
    """EMS-ResNet, the backbone of EMS-YOLO (Su et al. 2023).

    Shortcuts that change the size are a max-pool, neurons, a convolution and a norm,
    so that every convolution after the stem receives spikes. If the number of channels
    increases, the convolution computes only the new channels, and the pooled input is
    appended to them. The order of pool and convolution in this case is that of the
    paper's figure; the authors' code pools after the concatenation. Norm weights start
    at the neurons' threshold, and at a fifth of it at the end of a branch, as in their
    code (``resnet10.yaml`` and ``resnet34-cat.yaml`` of EMS-YOLO).

    Their network ends with membrane potentials, which the head's neurons convert; here
    neurons close every output, as in all backbones. Their neurons fire above the
    threshold, those of this package also at the threshold.

    Args:
        depth: See :class:`ResNetSNN`; the paper uses 10, 18 and 34.
        family: ``'EMS'``, or ``'EMS-Block1'`` for shortcuts without concatenation.
        **options: Arguments of :class:`ResNetSNN`. By default ``stem`` is ``'ms'``,
            ``strides`` are those of :class:`MSResNet`, and ``neuron`` is LIF with the
            authors' threshold 0.5, decay 0.25 (``tau=4 / 3``), hard reset and
            rectangular surrogate. ``num_steps`` is 4, as in the paper's abstract; the
            authors' code sets 5.

    Raises:
        TypeError: If an argument has the wrong type.
        ValueError: If an argument is out of range.
    """

    defaults = BackboneOptions(
        neuron=dict(
            type='LIF',
            tau=4 / 3,
            v_threshold=0.5,
            decay_input=False,
            detach_reset=True,
            surrogate=dict(type='Rectangular'),
        )
    )

    def __init__(
        self, depth: int, family: str = 'EMS', **options: Unpack[ResNetOptions]
    ) -> None:
        check_choice('family', family, ('EMS', 'EMS-Block1'))
        stem = options.get('stem', 'ms')
        own = ResNetOptions(stem=stem, strides=_strides_after(stem))
        merged: ResNetOptions = {**own, **options}
        super().__init__(depth, family, **merged)


class ChannelDropout(nn.Module):
    """Dropout of whole channels, the same ones at every time step.

    It commutes with means over time and over the image. If these follow, it is the
    ordinary dropout of the pooled features, as before the classifier of MS-ResNet104.

    Args:
        p: Probability that a channel of an image is dropped, in training.
        num_steps: Number of time steps T.

    Shape:
        ``[T * N, C, H, W]`` to the same shape.
    """

    def __init__(self, p: float, num_steps: int) -> None:
        super().__init__()
        self.p = p
        self.num_steps = num_steps

    def forward(self, x: Tensor) -> Tensor:
        """Drop channels, in training."""
        if not self.training:
            return x
        steps = x.unflatten(0, (current_steps(self.num_steps), -1)).permute(
            1, 2, 0, 3, 4
        )
        dropped = F.dropout3d(steps, self.p, training=True)
        return dropped.permute(2, 0, 1, 3, 4).flatten(0, 1)


MS_CIFAR = Architecture(BasicBlock, (3, 3, 2), (2, 4, 8))


@MODELS.register_module()
class MSResNet(ResNetSNN):
    """Membrane-shortcut ResNet (Hu et al. 2021), as in its authors' code.

    A PA-A ResNet whose norm weights start at the neurons' threshold and, at the end of
    a branch, at zero. Its default stem has no max-pool; the first stage has stride 2
    instead. Depth 104 has three convolutions in the stem and average pooling in the
    projections.

    The authors' neuron is ``dict(type='LIF', tau=4 / 3, v_threshold=0.5,
    decay_input=False, detach_reset=True, surrogate=dict(type='Rectangular'))``.

    Args:
        depth: See :class:`ResNetSNN`; the authors use 18, 34 and 104.
        layout: ``'imagenet'``, or ``'cifar'``: the MS-ResNet18 of Qiu et al. for 32x32
            pixels, whose three stages have 3, 3 and 2 blocks of 2, 4 and 8 times
            ``base_channels``.
        dropout: Probability that a channel of the last stage's output is dropped in
            training, at all time steps. It is equivalent to the dropout of features
            before the classifier, 0.2 in the authors' MS-ResNet104.
        **options: Arguments of :class:`ResNetSNN`, apart from ``family``. By default
            ``stem`` is ``'ms'`` (104: ``'ms104'``), ``strides`` are 2, 2, 2, 2 with
            these stems, ``'gac'`` and ``'gac104'``, and 1, 2, 2, 2 with others,
            ``avg_down`` is True for depth 104 only, and ``zero_init_residual`` is True.
            The defaults of the layout ``'cifar'`` are ``stem='cifar'``, strides 1, 2,
            2, ``out_indices=(2,)``, and ``zero_init_residual=False``, as in the code of
            Qiu et al.

    Raises:
        TypeError: If an argument has the wrong type.
        ValueError: If an argument is out of range.
    """

    def __init__(
        self,
        depth: int,
        layout: str = 'imagenet',
        dropout: float = 0.0,
        **options: Unpack[ResNetOptions],
    ) -> None:
        check_choice('layout', layout, ('imagenet', 'cifar'))
        if not 0 <= check_number('dropout', dropout) < 1:
            raise ValueError(f'dropout must be in [0, 1), but got {dropout}')
        architecture: int | Architecture = depth
        if layout == 'cifar':
            if depth != 18:
                raise ValueError(
                    f"layout='cifar' exists for depth 18 only, but got {depth}"
                )
            architecture = MS_CIFAR
            own = ResNetOptions(stem='cifar', strides=(1, 2, 2), out_indices=(2,))
        else:
            stem = options.get('stem', 'ms104' if depth == 104 else 'ms')
            own = ResNetOptions(
                stem=stem, strides=_strides_after(stem), avg_down=depth == 104
            )
        own['zero_init_residual'] = layout == 'imagenet'
        merged: ResNetOptions = {**own, **options}
        super().__init__(architecture, 'MS', **merged)
        if dropout:
            last = len(self.architecture.num_blocks) - 1
            if last not in self.out_indices:
                raise ValueError(
                    'dropout follows the last stage, so out_indices must include '
                    f'{last}, but got {self.out_indices}'
                )
            self.closings[str(last)].add_module(
                'dropout', ChannelDropout(dropout, self.num_steps)
            )
            self._freeze()
