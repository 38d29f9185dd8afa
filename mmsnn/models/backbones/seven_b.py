"""7B-Net and Wide-7B-Net, small networks for event data, of any residual family."""

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
    """7B-Net and Wide-7B-Net: seven blocks, each followed by a 2x2 max-pool.

    In the notation of the SEW paper (Fang et al. 2021, Sections 4.2 and 4.3), without
    the classifier, which is part of the head:

    - 7B-Net: ``c32k3s1-BN-PLIF-{block(c32)-MPk2s2}*7``, 0.13 M parameters;
    - Wide-7B-Net: ``c64k3s1-BN-PLIF-{block(c64)-MPk2s2}*4-c128k1s1-BN-PLIF-
      {block(c128)-MPk2s2}*3``, 1.19 M parameters.

    Where the width changes, the paper's text has a 3x3 convolution, c128k3s1. Here it
    is 1x1, as in the authors' code and the paper's parameter count, which would be
    1.26 M with 3x3. The first convolution is 3x3, as in the text; it is 1x1 in the
    authors' code, which the parameter counts do not distinguish.

    The paper has the families plain, Spiking and SEW; ``'SG-BSG'`` is the 7B SG ResNet
    of Zhang et al. 2023. With one block per stage, densely additive families are the
    same as those without the added paths, and values between blocks are binary.

    Args:
        family: Name of a family in :data:`mmsnn.models.residual.FAMILIES`, or a
            :class:`mmsnn.models.residual.Wiring`.
        wide: Whether to build Wide-7B-Net.
        **options: Arguments of :class:`PooledResNet`, apart from ``widths`` and
            ``num_blocks``. The defaults are ``num_steps=16``, ``in_channels=2`` (the
            polarities of events), ``out_indices=(6,)``, and the paper's ``neuron``
            (A.1): PLIF without a gradient through the reset. A network this shallow
            does not need ``zero_init_residual`` (A.3).

    Shape:
        As :class:`PooledResNet`; for 128 x 128 pixels the last output is 1 x 1.

    Raises:
        TypeError: If an argument has the wrong type.
        ValueError: If an argument is out of range, or the input has another shape or is
            too small for the max-pools.
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
