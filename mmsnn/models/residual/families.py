"""Table of the residual families: the order of layers, and how the paths merge.

A new family is a new row, added here or with ``FAMILIES.register(name, wiring)``, and a
class derived from :class:`Merge` if its merge is new.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal

from mmsnn.models.layers import check_order
from mmsnn.utils import NamedRows, check_bool, check_choice, check_positive, describe

from .merges import AddMerge, AndMerge, GateMerge, IAndMerge, LearnedGateMerge, Merge

Values = Literal['binary', 'integer', 'analog']
"""Kinds of values: spikes in {0, 1}, sums of spikes, or real numbers."""


@dataclass(frozen=True)
class Wiring:
    """One residual family: ``y = post(merge(residual=branch(x), shortcut=short(x)))``.

    The order of layers is given by letters: C convolution, N norm, S spiking neuron;
    in ``projection`` also P, a max-pool.

    Args:
        merge: Class of the merge; None is a network without shortcuts, ``y = branch``.
        citation: Where the family is defined.
        unit: Layers of each unit of the branch except the last.
        last_unit: Layers of the branch's last unit.
        projection: Layers of the shortcut if the size changes. If the first is P, a
            max-pool downsamples instead of the convolution's stride.
        identity: Layers of the shortcut if the size does not change; none by default.
        post: Layers after the merge; none by default.
        merge_options: Arguments of the merge, after its channels.
        concatenates: Whether a projection to more channels computes only the new ones
            and appends its input (after P), ``cat(projection(x), x)``.
        densely_additive: Whether a stage sums all its blocks, see
            :class:`mmsnn.models.residual.DenselyAdditive`.
        threshold_norm: Whether norms are threshold-dependent (tdBN): their weights
            start at the neurons' threshold times alpha.
        path_alpha: The alpha of the last norm of each merged path; it is 1 for all
            other norms.
        last_alpha: A further alpha of the branch's last norm.
        advice: When to choose the family, for the guide page.
        reported: Accuracies that its paper reports, for the guide page.

    Raises:
        TypeError: If an argument has the wrong type.
        ValueError: If an order of layers is invalid, a unit has no convolution, or
            alpha is not positive.
    """

    merge: type[Merge] | None
    citation: str
    unit: str = 'CNS'
    last_unit: str = 'CNS'
    projection: str = 'CNS'
    identity: str = ''
    post: str = ''
    merge_options: Mapping[str, Any] = field(default_factory=dict)
    concatenates: bool = False
    densely_additive: bool = False
    threshold_norm: bool = False
    path_alpha: float = 1.0
    last_alpha: float = 1.0
    advice: str = ''
    reported: str = ''

    def __post_init__(self) -> None:
        """Check the row before a network is built from it."""
        merge = self.merge
        if not (merge is None or isinstance(merge, type) and issubclass(merge, Merge)):
            raise TypeError(
                f'merge must be a class derived from Merge, or None, '
                f'but got {describe(merge)}'
            )
        if not isinstance(self.merge_options, Mapping):
            raise TypeError(
                f'merge_options must be a dict, but got {describe(self.merge_options)}'
            )
        for name in ('concatenates', 'densely_additive', 'threshold_norm'):
            check_bool(name, getattr(self, name))
        for name in ('path_alpha', 'last_alpha'):
            check_positive(name, getattr(self, name))
        for name in ('unit', 'last_unit', 'identity', 'post'):
            check_order(getattr(self, name))
        check_order(self.projection_layers)
        for name in ('unit', 'last_unit', 'projection'):
            if 'C' not in getattr(self, name):
                raise ValueError(
                    f'{name} must have a convolution (C), but got '
                    f'{getattr(self, name)!r}'
                )
        for name in ('identity', 'post'):
            if 'C' in getattr(self, name):
                raise ValueError(
                    f'{name} must have no convolution (C), but got '
                    f'{getattr(self, name)!r}'
                )

    @property
    def pools(self) -> bool:
        """Whether projections downsample by a max-pool."""
        return isinstance(self.projection, str) and self.projection.startswith('P')

    @property
    def projection_layers(self) -> str:
        """Layers of a projection after its max-pool, if it has one."""
        return self.projection[1:] if self.pools else self.projection

    @property
    def values(self) -> Values:
        """Kind of values between blocks of this family."""
        return self.values_in(2)

    def values_in(self, num_blocks: int) -> Values:
        """Return the kind of values if stages have at most ``num_blocks`` blocks.

        A densely additive stage of one block adds no outputs.
        """
        ends = [self.post or self.last_unit]
        if self.merge is not None and not self.post:
            ends += [self.projection_layers, self.identity or 'S']
        if not all(layers.endswith('S') for layers in ends):
            return 'analog'
        merges_spikes = self.merge is None or self.merge.keeps_spikes
        sums_blocks = self.densely_additive and num_blocks > 1
        if sums_blocks or not (self.post or merges_spikes):
            return 'integer'
        return 'binary'

    @property
    def closing(self) -> str:
        """Layers between a stage and its output, which convert analog values to spikes.

        They are the layers that a block has before its first convolution.
        """
        return self.unit.partition('C')[0] if self.values == 'analog' else ''

    @property
    def starts_as_identity(self) -> bool:
        """Whether ``zero_init_residual`` makes blocks the identity, for any neuron."""
        return (
            self.merge is not None
            and not (self.identity or self.post)
            and not self.densely_additive
        )


_SEW = 'Fang et al. 2021, Deep residual learning in spiking neural networks'
_SG = (
    'Zhang et al. 2023, Direct training high-performance spiking neural networks for '
    'object recognition and detection'
)
_DANET = (
    'Li et al., Rethinking residual connection in training large-scale spiking neural '
    'networks'
)
_TDBN = 'Zheng et al. 2021, Going deeper with directly-trained larger SNNs'
_MS = 'Hu et al. 2021, Advancing residual learning towards powerful deep SNNs'
_EMS = (
    'Su et al. 2023, Deep directly-trained spiking neural networks for object detection'
)

_PA_A = Wiring(
    AddMerge,
    f'{_DANET}, Fig. 1 (e)',
    unit='SCN',
    last_unit='SCN',
    projection='CN',
    advice='the most active gradients: large data sets and deep networks',
    reported='ImageNet, T = 4: 66.48 / 71.22 / 73.71 / 76.13 / 77.22 % '
    '(ResNet18 / 34 / 50 / 101 / 152)',
)
_PA_B = Wiring(
    AddMerge,
    f'{_DANET}, Fig. 1 (f)',
    unit='NSC',
    last_unit='NSC',
    projection='C',
    advice='small data sets: sparse updates keep it from overfitting',
)
_ORIGIN = Wiring(
    AddMerge,
    f'{_SEW}, Fig. 1 (b) and Eq. 7; {_DANET}, Fig. 1 (a) ("Origin")',
    last_unit='CN',
    projection='CN',
    post='S',
    advice='the baseline of most papers; up to 34 layers, degrades beyond',
    reported='ImageNet, T = 4: 62.32 / 61.86 / 57.66 / 31.79 / 10.03 % '
    '(ResNet18 / 34 / 50 / 101 / 152)',
)
_BAA = Wiring(
    AddMerge,
    f'{_DANET}, Fig. 1 (c)',
    last_unit='C',
    projection='C',
    post='NS',
    advice='like tdBN, without a norm on each path',
)

_EMS_ROW = replace(
    _PA_A,
    citation=f'{_EMS} (EMS-Block1, and EMS-Block2 where the channels increase)',
    projection='PSCN',
    concatenates=True,
    threshold_norm=True,
    last_alpha=0.2,
    advice='detectors whose every convolution after the stem receives spikes, '
    'projections included',
    reported='',
)

_ROWS: dict[str, Wiring] = {
    'plain': Wiring(
        None,
        f'{_SEW}, Section 4.2 ("Plain Net")',
        advice='no shortcuts: a control for experiments with shallow networks',
        reported='DVS Gesture, T = 16: 91.67 % (7B-Net)',
    ),
    'Spiking': _ORIGIN,
    'tdBN': Wiring(
        AddMerge,
        f'{_TDBN}; {_DANET}, Fig. 1 (b)',
        last_unit='CN',
        projection='CN',
        identity='N',
        post='S',
        threshold_norm=True,
        path_alpha=1 / math.sqrt(2),
        advice='a Spiking ResNet with more stable firing; up to 50 layers',
        reported='ImageNet, T = 6: 63.72 / 64.88 % (ResNet34 / 50)',
    ),
    'BAA': _BAA,
    'SEW-ADD': Wiring(
        AddMerge,
        f'{_SEW}, Table 1',
        advice='deep networks, if sums of spikes are acceptable',
        reported='ImageNet, T = 4: 63.18 / 67.04 / 67.78 / 68.76 / 69.26 % '
        '(ResNet18 / 34 / 50 / 101 / 152); DVS Gesture, T = 16: 97.92 % (7B-Net)',
    ),
    'SEW-AND': Wiring(
        AndMerge,
        f'{_SEW}, Table 1',
        advice='for comparison: its blocks become silent with depth',
        reported='DVS Gesture, T = 16: 70.49 % (7B-Net)',
    ),
    'SEW-IAND': Wiring(
        IAndMerge,
        f'{_SEW}, Table 1',
        advice='binary, for event data and moderate depths',
        reported='DVS Gesture, T = 16: 95.49 % (7B-Net)',
    ),
    'SG-BSG': Wiring(
        GateMerge,
        f'{_SG}, Eqs. 13 and 15',
        advice='deep networks for hardware that supports binary spikes only',
        reported='ImageNet, T = 4, with ASD: 62.51 / 65.08 / 66.25 % '
        '(ResNet18 / 34 / 50); CIFAR10-DVS, T = 16: 70.60 % (7B-Net); COCO with '
        'RetinaNet and ASD, T = 4: mAP 0.285 / 0.296 (ResNet18 / 34)',
    ),
    'SG-BSG*': Wiring(
        LearnedGateMerge,
        f'{_SG}, Eqs. 13 and 14',
        advice='for studying the gate; in the paper slightly below SG-BSG',
        reported='CIFAR-100, T = 4, rate decoding: 71.75 / 73.71 / 74.21 % '
        '(ResNet10 / 18 / 34)',
    ),
    'PA-A': _PA_A,
    'PA-A-S': replace(
        _PA_A,
        citation=f'{_DANET}, Fig. 1 (e), with the full-spike projection of Su et al. '
        '2023, Deep directly-trained spiking neural networks for object detection',
        projection='SCN',
        advice='PA-A without multiplications: detectors that spike throughout',
        reported='',
    ),
    'PA-B': _PA_B,
    'MS': replace(
        _PA_A,
        citation=f'{_MS}; Qiu et al., Gated attention coding for training SNNs',
        threshold_norm=True,
        advice='PA-A with norms that start at the threshold: classification with few '
        'time steps, and the network of gated attention coding',
        reported='ImageNet, T = 6: 63.10 / 69.42 % (ResNet18 / 34); T = 5: 74.21 % '
        '(ResNet104)',
    ),
    'EMS': _EMS_ROW,
    'EMS-Block1': replace(
        _EMS_ROW,
        citation=f"{_EMS} (EMS-Block1 everywhere, as in the authors' resnet34.yaml)",
        concatenates=False,
        advice='EMS without concatenation, for comparison',
    ),
    'DANet-A': _PA_A,
    'DANet-B': _PA_B,
    'DANet-C': replace(
        _ORIGIN,
        citation=f'{_DANET}, Eq. 11 and Listing 1',
        densely_additive=True,
        advice="integers instead of PA-A's real numbers, at some loss of accuracy",
        reported='ImageNet, T = 4: 68.26 / 70.90 % (ResNet34 / 50)',
    ),
    'DANet-D': replace(
        _BAA,
        citation=f'{_DANET}, Eq. 11 and Listing 1',
        densely_additive=True,
        advice='for comparison with DANet-C',
        reported='ImageNet, T = 4: 65.50 % (ResNet34)',
    ),
}

FAMILIES: NamedRows[Wiring] = NamedRows('residual family', Wiring, _ROWS)
"""The families by name; families with two names (PA-A, DANet-A) share a row.

``FAMILIES.register(name, wiring)`` adds one.
"""


def get_family(family: str | Wiring) -> Wiring:
    """Return the family of a name in :data:`FAMILIES`, or a given row unchanged.

    Raises:
        ValueError: If there is no family of that name.
    """
    if isinstance(family, Wiring):
        return family
    check_choice('family', family, FAMILIES)
    return FAMILIES[family]
