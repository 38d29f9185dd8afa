"""Fold norms into the convolutions before them, for inference."""

import inspect
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from copy import copy, deepcopy
from typing import Any

from mmcv.cnn.bricks import wrappers
from torch import fx, nn
from torch.nn.modules.batchnorm import SyncBatchNorm, _BatchNorm
from torch.nn.utils.fusion import fuse_conv_bn_eval

from .inference_only import InferenceOnly, check_network

# no subclasses, since some transform their weights, such as mmcv's ConvWS2d
_CONVS = (nn.Conv1d, nn.Conv2d, nn.Conv3d, wrappers.Conv2d, wrappers.Conv3d)
_HOOKS = (
    '_forward_hooks',
    '_forward_pre_hooks',
    '_backward_hooks',
    '_backward_pre_hooks',
)


class FoldedNorm(InferenceOnly, nn.Identity):
    """Placeholder for a norm that is folded into a convolution.

    Two mistakes that would otherwise pass silently raise: training the network, and
    loading weights that are not folded.
    """

    inference_name = 'folded norms'

    def _load_from_state_dict(
        self,
        state_dict: Mapping[str, Any],
        prefix: str,
        local_metadata: dict[str, Any],
        strict: bool,
        missing_keys: list[str],
        unexpected_keys: list[str],
        error_msgs: list[str],
    ) -> None:
        # raised here since MMEngine only logs error_msgs
        if any(prefix + name in state_dict for name in ('weight', 'running_mean')):
            raise ValueError(
                f'these weights have the norm {prefix.removesuffix(".")!r}, which is '
                'folded in this network: load them into the original network, and '
                'fold that'
            )


def fold_norms(model: nn.Module) -> nn.Module:
    r"""Return a copy for inference, without the norms that follow convolutions.

    A batch norm in evaluation mode is linear, so it can be merged into the convolution
    before it: with :math:`a = \gamma / \sqrt{\sigma^2 + \epsilon}`, the
    convolution gets weights :math:`a\,W` and bias :math:`a\,(b - \mu) + \beta`. Outputs
    differ by rounding errors, and a spike differs only if its potential is that close
    to the threshold.

    A norm is folded if tracing a module's ``forward`` shows that the norm, and nothing
    else, takes the output of a convolution; ``nn.Sequential`` is traced through. All
    other norms are kept: norms before neurons or after a sum or pool, norms without
    running statistics, norms in modules whose ``forward`` cannot be traced (because it
    depends on its input's values or shape), and norms that have hooks or follow a
    convolution with hooks. If modules share a convolution but not its norm, each gets
    its own convolution.

    The copy raises an error if it is set to training mode or loads weights that are not
    folded. Its weights do not fit the original model, so save the weights of the
    original. To use a network in bf16, fold it first and then cast it.

    Args:
        model: Any network: a backbone, a detector, a classifier. It is not changed.

    Returns:
        A copy in evaluation mode, with a :class:`FoldedNorm` in place of each norm that
        is folded.

    Raises:
        TypeError: If ``model`` is not a module, or wraps one for distributed training.
    """
    check_network('fold_norms', model)
    folded = deepcopy(model)
    folded.eval()  # eval() of some returns None, such as MMDetection's ResNet
    places = Counter(
        id(child) for module in folded.modules() for child in module._modules.values()
    )
    for module in list(folded.modules()):
        for conv, norm in list(_pairs(module)):
            if not all(_is_own(module, name, places) for name in (conv, norm)):
                continue
            parts: list[Any] = [module.get_submodule(name) for name in (conv, norm)]
            fused = fuse_conv_bn_eval(*parts)
            module.set_submodule(conv, fused)
            module.set_submodule(norm, FoldedNorm().eval())
    return folded


def _is_own(module: nn.Module, name: str, places: Mapping[int, int]) -> bool:
    """Return whether the modules between a module and its part are not shared."""
    parents = name.split('.')[:-1]
    return all(
        places[id(module.get_submodule('.'.join(parents[: i + 1])))] == 1
        for i in range(len(parents))
    )


def _pairs(module: nn.Module) -> Iterator[tuple[str, str]]:
    """Yield the names of convolutions and of the norms that directly follow them."""
    parts = [part for _, part in _visible_parts(module)]
    if not (any(map(_is_conv, parts)) and any(map(_is_norm, parts))):
        return
    try:
        graph = _Tracer().trace(copy(module), _defaults(module.forward))
    except Exception:
        # code that cannot be traced may raise any exception
        return
    calls = [node for node in graph.nodes if node.op == 'call_module']
    counts = Counter(node.target for node in calls)
    for node in calls:
        before = node.args[0] if len(node.args) == 1 and not node.kwargs else None
        if not isinstance(before, fx.Node) or before.op != 'call_module':
            continue
        conv, norm = str(before.target), str(node.target)
        if (
            _is_conv(module.get_submodule(conv))
            and _is_norm(module.get_submodule(norm))
            and counts[conv] == counts[norm] == len(before.users) == 1
        ):
            yield conv, norm


def _is_open(module: nn.Module) -> bool:
    """Return whether a module only calls its parts in order, without hooks."""
    return isinstance(module, nn.Sequential) and not _has_hooks(module)


def _visible_parts(module: nn.Module) -> Iterator[tuple[str, nn.Module]]:
    """Yield the parts of a module, and of each Sequential the parts instead."""
    for name, part in module.named_children():
        if _is_open(part):
            yield from _visible_parts(part)
        else:
            yield name, part


class _Tracer(fx.Tracer):
    """Records which parts a module's ``forward`` calls, and with which arguments."""

    def is_leaf_module(self, m: nn.Module, module_qualified_name: str) -> bool:
        return not _is_open(m)


def _defaults(forward: Callable[..., Any]) -> dict[str, Any]:
    """Return the default values of optional arguments, by name."""
    parameters = inspect.signature(forward).parameters.values()
    return {p.name: p.default for p in parameters if p.default is not p.empty}


def _has_hooks(module: nn.Module) -> bool:
    return any(getattr(module, name) for name in _HOOKS)


def _is_conv(module: nn.Module) -> bool:
    return type(module) in _CONVS and not _has_hooks(module)


def _is_norm(module: nn.Module) -> bool:
    """Return whether a module is a batch norm that uses its running statistics."""
    return (
        isinstance(module, _BatchNorm)
        and type(module).forward in (_BatchNorm.forward, SyncBatchNorm.forward)
        and module.running_mean is not None
        and not _has_hooks(module)
    )
