"""Merge chains of linear layers into one convolution, for inference."""

from copy import deepcopy

from torch import nn

from .inference_only import check_network


def merge_convolutions(model: nn.Module) -> nn.Module:
    """Return a copy for inference with re-parameterised convolutions merged into one.

    Parts that have a method ``merged``, such as :class:`mmsnn.models.layers.RepConv`,
    are replaced by the convolution it returns, which computes the same. The input of
    every such convolution is then spikes: it accumulates on spiking hardware, and
    :func:`mmsnn.deploy.quantize_int8` converts it. On other hardware it is slower,
    since a 3x3 convolution has 4.5 times the operations of the chain.

    Call it before :func:`mmsnn.deploy.fold_norms`, which then also folds the norms
    after these convolutions.

    Args:
        model: Any network: a backbone, a detector, a classifier. It is not changed.

    Returns:
        A copy in evaluation mode.

    Raises:
        TypeError: If ``model`` is not a module, or wraps one for distributed training.
        ValueError: If norms inside such a part are folded already.
    """
    check_network('merge_convolutions', model)
    merged = deepcopy(model)
    merged.eval()  # eval() of some returns None, such as MMDetection's ResNet
    for name, module in list(merged.named_modules()):
        if name and callable(getattr(module, 'merged', None)):
            merged.set_submodule(name, module.merged())
    return merged
