"""A base class and a check that the preparations for inference share."""

from typing import ClassVar, Self

from mmengine.model import is_model_wrapper
from torch import nn

from mmsnn.utils import describe


class InferenceOnly(nn.Module):
    """Mixin of layers that are made from trained ones and cannot be trained."""

    inference_name: ClassVar[str]
    """Subject of the error message."""

    def train(self, mode: bool = True) -> Self:
        """Stay in evaluation mode.

        Raises:
            RuntimeError: If ``mode`` is True.
        """
        if mode:
            raise RuntimeError(
                f'{self.inference_name} are for inference: train the original network'
            )
        return super().train(mode)


def check_network(function: str, model: nn.Module) -> None:
    """Check the argument of a function that copies a network.

    Args:
        function: Name of the function, for the message.
        model: The argument.

    Raises:
        TypeError: If it is not a module, or wraps one for distributed training.
    """
    if not isinstance(model, nn.Module):
        raise TypeError(f'model must be an nn.Module, but got {describe(model)}')
    if is_model_wrapper(model):
        raise TypeError(
            f'{function} takes the network that {type(model).__name__} wraps, its '
            '.module'
        )


__all__ = ['InferenceOnly', 'check_network']
