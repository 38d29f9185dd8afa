"""Learned time constants as constants, for inference."""

from copy import deepcopy

from torch import nn

from mmsnn.models.neurons import BaseNeuron

from .inference_only import check_network


def freeze_time_constants(model: nn.Module) -> nn.Module:
    r"""Return a copy in which learned time constants are constants.

    PLIF neurons become LIF neurons with the same :math:`\tau`, and the same spikes.
    Formats whose neurons have no parameters, such as NIR, need this.

    Args:
        model: Any network: a backbone, a detector, a classifier. It is not changed.

    Raises:
        TypeError: If ``model`` is not a module, or wraps one for distributed training.
    """
    check_network('freeze_time_constants', model)
    frozen = deepcopy(model)
    if isinstance(frozen, BaseNeuron):
        return frozen.frozen()
    for module in list(frozen.modules()):
        for name, child in list(module.named_children()):
            if isinstance(child, BaseNeuron):
                setattr(module, name, child.frozen())
    return frozen


__all__ = ['freeze_time_constants']
