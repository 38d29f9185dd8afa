"""7B-Net and Wide-7B-Net, the small nets for event data, of any residual family."""

from collections.abc import Mapping
from typing import Any, Unpack

from mmsnn.models.residual import Wiring
from mmsnn.registry import MODELS
from mmsnn.utils import check_bool

from .pooled import PooledResNet, PooledResNetOptions
from .settings import BackboneOptions

PLIF_NEURON: Mapping[str, Any] = dict(type='PLIF', init_tau=2.0, detach_reset=True)

STAGE_WIDTHS: dict[bool, tuple[int, ...]] = {
    False: (32,) * 7,
    True: (64,) * 4 + (128,) * 3,
}
"""Channels of the seven stages, by ``wide``."""


@MODELS.register_module()
class SevenBNet(PooledResNet):
    """7B-Net and Wide-7B-Net: seven blocks, each behind it a max-pool of 2.

    In the notation of the SEW paper (Fang et al. 2021, Sections 4.2 and 4.3), without
    the classifier, which is the head's:

    - 7B-Net: ``c32k3s1-BN-PLIF-{block(c32)-MPk2s2}*7``, 0.13 M parameters;
    - Wide-7B-Net: ``c64k3s1-BN-PLIF-{block(c64)-MPk2s2}*4-c128k1s1-BN-PLIF-
      {block(c128)-MPk2s2}*3``, 1.19 M parameters.

    Where the width changes the paper's text has a convolution of 3x3, c128k3s1. Its
    parameter count (with 3x3 it would be 1.26 M) and its authors' code are followed
    instead: 1x1. Their code has 1x1 for the first convolution too, which the counts do
    not tell apart; there the text is followed: 3x3.

    The paper has the families plain, Spiking and SEW; ``'SG-BSG'`` is the 7B SG ResNet
    of Zhang et al. 2023. With one block a stage, densely additive families are as those
    without the added paths: what travels is binary.

    Args:
        family: A row of :data:`mmsnn.models.residual.FAMILIES`, by name or itself.
        wide: Whether it is Wide-7B-Net.
        **options: Arguments of :class:`PooledResNet`, apart from ``widths`` and
            ``num_blocks``. The defaults are 16 ``num_steps``, 2 ``in_channels`` (the
            polarities of events), ``out_indices=(6,)``, and the paper's ``neuron``
            (A.1): PLIF without a gradient through the reset. So shallow a net does not
            need ``zero_init_residual`` (A.3).

    Shape:
        As :class:`PooledResNet`: of 128 x 128 pixels the last output is 1 x 1.

    Raises:
        TypeError: If an argument has the wrong type.
        ValueError: If an argument is out of range, or the input has another shape or is
            so small that nothing is left of it.
    """

    defaults = BackboneOptions(
        num_steps=16, in_channels=2, out_indices=(6,), neuron=PLIF_NEURON
    )

    def __init__(
        self,
        family: str | Wiring = 'SEW-ADD',
        wide: bool = False,
        **options: Unpack[PooledResNetOptions],
    ) -> None:
        super().__init__(family, STAGE_WIDTHS[check_bool('wide', wide)], 1, **options)
        self.wide = wide
