"""Build parts of a model from configs, with errors that list the allowed values."""

import inspect
from collections.abc import Mapping
from typing import Any

from torch import nn

from mmsnn.registry import MODELS
from mmsnn.utils import describe


def known_parts(base: type[nn.Module]) -> list[str]:
    """Return the names of a base's subclasses that are registered in scope ``mmsnn``.

    Args:
        base: The base class of one kind of part, such as ``BaseNeuron``.
    """
    return [
        name
        for name, found in MODELS.module_dict.items()
        if inspect.isclass(found) and issubclass(found, base)
    ]


def build_part(
    what: str, cfg: Mapping[str, Any], base: type[nn.Module], given: Mapping[str, Any]
) -> nn.Module:
    """Build one part of a network from the ``mmsnn`` scope.

    Args:
        what: Kind of part, for error messages: ``'neuron'``, ``'decoder'``.
        cfg: A dict with ``type`` and the part's own arguments. The type is the name of
            a class derived from ``base`` and registered in
            :data:`mmsnn.registry.MODELS`, or any other registered type with its scope,
            as in ``type='mypackage.MyNeuron'``.
        base: Base class of such parts.
        given: Arguments that the network determines, such as ``num_steps``.

    Raises:
        TypeError: If ``cfg`` is not a dict with a type, or an argument is unknown.
        ValueError: If the type is unknown, or ``cfg`` sets an argument of ``given``.
    """
    if not isinstance(cfg, Mapping) or not isinstance(cfg.get('type'), (str, type)):
        raise TypeError(f'{what} must be a dict with a type, but got {describe(cfg)}')
    fixed = sorted(set(cfg) & set(given))
    if fixed:
        raise ValueError(
            f'{what} config must not set {", ".join(fixed)}: the network does'
        )
    kind = cfg['type']
    if isinstance(kind, str) and _find(kind, base) is None:
        raise ValueError(
            f'{what} type must be one of {", ".join(known_parts(base))}, or a '
            f'registered type with its scope, but got {kind!r}'
        )
    return MODELS.build(dict(cfg, **given, _scope_='mmsnn'))


def _find(kind: str, base: type[nn.Module]) -> Any:
    """Return what is registered as a base's subclass, or in the scope it is given."""
    if '.' in kind:
        with MODELS.switch_scope_and_registry('mmsnn') as registry:
            return registry.get(kind)
    found = MODELS.module_dict.get(kind)
    return found if inspect.isclass(found) and issubclass(found, base) else None
