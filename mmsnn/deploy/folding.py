"""Norms folded into the convolutions before them, for inference."""

import inspect
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from copy import copy, deepcopy
from typing import Any

from mmcv.cnn.bricks import wrappers
from mmengine.model import is_model_wrapper
from torch import fx, nn
from torch.nn.modules.batchnorm import SyncBatchNorm, _BatchNorm
from torch.nn.utils.fusion import fuse_conv_bn_eval

from mmsnn.utils import describe

# no subclasses: some, as mmcv's ConvWS2d, do more to their weights than convolve
_CONVS = (nn.Conv1d, nn.Conv2d, nn.Conv3d, wrappers.Conv2d, wrappers.Conv3d)
_HOOKS = (
    '_forward_hooks',
    '_forward_pre_hooks',
    '_backward_hooks',
    '_backward_pre_hooks',
)


class FoldedNorm(nn.Identity):
    """Stands where a norm was that is now part of a convolution.

    It makes two mistakes errors that would otherwise pass unseen: to train the network,
    and to load weights into it that are not folded.
    """

    def train(self, mode: bool = True) -> 'FoldedNorm':
        """Stay in evaluation mode.

        Raises:
            RuntimeError: If ``mode`` is True.
        """
        if mode:
            raise RuntimeError(
                'this network is for inference: fold_norms has made its norms a part '
                'of its convolutions; train the network that it was given'
            )
        return super().train(mode)

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
        # raised here since MMEngine only logs what is in error_msgs
        if any(prefix + name in state_dict for name in ('weight', 'running_mean')):
            raise ValueError(
                f'these weights have a norm, {prefix.removesuffix(".")}, that '
                'fold_norms has made a part of a convolution: load them into the '
                'network that it was given, and fold that'
            )


def fold_norms(model: nn.Module) -> nn.Module:
    r"""Return a copy for inference, without the norms that follow convolutions.

    A batch norm in evaluation mode is linear, so that a convolution before it can do
    its work: with :math:`a = \gamma / \sqrt{\sigma^2 + \epsilon}`, weights
    :math:`a\,W` and bias :math:`a\,(b - \mu) + \beta`. Outputs change by rounding,
    and a spike only where its potential meets the threshold by less than that.

    A norm is folded if what a module's ``forward`` does shows that the norm takes the
    output of a convolution and that nothing else does. It is traced for this;
    ``nn.Sequential`` is seen through. All others stay: norms before neurons or behind a
    sum or pool, norms without running statistics, those of modules whose ``forward``
    cannot be traced (it depends on its input's values or shape), and those that have
    hooks, as their convolutions. Where modules share a convolution but not its norm,
    each gets its own.

    In training mode, or of weights that are not folded, the copy raises an error. Its
    own weights do not fit the network that was given: save that one's. A whole network
    in bf16 is folded first and cast then.

    Args:
        model: Any network: a backbone, a detector, a classifier. It stays as it is.

    Returns:
        A copy in evaluation mode, with :class:`FoldedNorm` in the place of each norm
        that is folded.

    Raises:
        TypeError: If ``model`` is no module, or wraps one for distributed training.
    """
    if not isinstance(model, nn.Module):
        raise TypeError(f'model must be an nn.Module, but got {describe(model)}')
    if is_model_wrapper(model):
        raise TypeError(
            f'fold_norms takes the network that {type(model).__name__} wraps, its '
            '.module'
        )
    folded = deepcopy(model)
    folded.eval()  # some return nothing, as MMDetection's ResNet
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
    """Return whether what lies between a module and its part is nobody else's."""
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
        # tracing calls code that was not written for it, which may raise anything
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
    """Return whether a module is no more than its parts, one after the other."""
    return isinstance(module, nn.Sequential) and not _has_hooks(module)


def _visible_parts(module: nn.Module) -> Iterator[tuple[str, nn.Module]]:
    """Yield the parts of a module, in place of a Sequential its parts."""
    for name, part in module.named_children():
        if _is_open(part):
            yield from _visible_parts(part)
        else:
            yield name, part


class _Tracer(fx.Tracer):
    """Records which parts a module's ``forward`` calls, and with what."""

    def is_leaf_module(self, m: nn.Module, module_qualified_name: str) -> bool:
        return not _is_open(m)


def _defaults(forward: Callable[..., Any]) -> dict[str, Any]:
    """Return the arguments that need not be given, by name, with their values."""
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
