"""Base of initialisers that load published weights."""

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from mmengine.logging import print_log
from mmengine.model import update_init_info
from torch import Tensor, nn

from mmsnn.utils import describe
from mmsnn.utils.checkpoints import read_weights
from mmsnn.utils.errors import UserError


class PublishedWeights:
    """Base of initialisers that load published weights strictly.

    Args:
        checkpoint: See :func:`mmsnn.utils.checkpoints.read_weights`.

    Raises:
        TypeError: If ``checkpoint`` is not a string.
    """

    loads_weights = True
    network: ClassVar[type[nn.Module]]
    """The class of the networks that are initialised."""
    network_name: ClassVar[str]
    """Their name in a message, with an article."""

    def __init__(self, checkpoint: str) -> None:
        if not isinstance(checkpoint, str):
            raise TypeError(
                f'checkpoint must be a path or a URL, but got {describe(checkpoint)}'
            )
        self.checkpoint = checkpoint

    def convert(self, state: Mapping[str, Tensor], network: Any) -> dict[str, Tensor]:
        """Return the weights by their names in ``network``.

        Raises:
            ValueError: If they do not fit.
        """
        raise NotImplementedError(f'{type(self).__name__} defines no convert')

    def summary(
        self, state: Mapping[str, Tensor], network: Any, missing: Sequence[str]
    ) -> str:
        """Return what was filled and what was left out, for the log.

        Args:
            state: The published weights.
            network: The network.
            missing: Names of the network's entries that were not filled.
        """
        raise NotImplementedError(f'{type(self).__name__} defines no summary')

    def __call__(self, module: nn.Module) -> None:
        """Load the weights into ``module``.

        Raises:
            TypeError: If ``module`` is another network.
            UserError: If the checkpoint cannot be loaded or does not fit.
        """
        name = type(self).__name__
        if not isinstance(module, self.network):
            raise TypeError(
                f'{name} initialises {self.network_name}, '
                f'but got {type(module).__name__}'
            )
        state = read_weights(self.checkpoint)
        try:
            weights = self.convert(state, module)
        except ValueError as error:
            raise UserError(f'checkpoint {self.checkpoint!r}: {error}') from error
        missing = module.load_state_dict(weights, strict=False).missing_keys
        print_log(
            f'{self.checkpoint}: {len(weights)} tensors into '
            f'{self.summary(state, module, missing)}',
            logger='current',
        )
        if hasattr(module, '_params_init_info'):
            update_init_info(module, f'{name}: load from {self.checkpoint}')
