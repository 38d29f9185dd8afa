"""The table of residual families: where norm and neuron sit, and how paths merge.

Adding a family is adding a row here, and a class in ``merges`` if its merge is new.
"""

from collections.abc import Callable
from dataclasses import dataclass

from .merges import AddMerge, AndMerge, GateMerge, IAndMerge, LearnedGateMerge, Merge


@dataclass(frozen=True)
class Wiring:
    """One residual family: ``y = post(merge(residual=branch(x), shortcut=proj(x)))``.

    Letters spell the order of layers: C convolution, N norm, S spiking neuron.

    Args:
        merge: Makes the merge from the number of channels.
        citation: Where the family is defined.
        unit: Layers of each unit of the branch but the last.
        last_unit: Layers of the branch's last unit.
        projection: Layers of the shortcut where the size changes.
        post: Layers after the merge; none by default.
    """

    merge: Callable[[int], Merge]
    citation: str
    unit: str = 'CNS'
    last_unit: str = 'CNS'
    projection: str = 'CNS'
    post: str = ''


_SEW = 'Fang et al. 2021, Deep residual learning in spiking neural networks, Table 1'
_SG = (
    'Zhang et al. 2023, Direct training high-performance spiking neural networks for '
    'object recognition and detection, '
)

FAMILIES: dict[str, Wiring] = {
    'SEW-ADD': Wiring(AddMerge, _SEW),
    'SEW-AND': Wiring(AndMerge, _SEW),
    'SEW-IAND': Wiring(IAndMerge, _SEW),
    'SG-BSG': Wiring(GateMerge, _SG + 'Eqs. 13 and 15'),
    'SG-BSG*': Wiring(LearnedGateMerge, _SG + 'Eqs. 13 and 14'),
}
