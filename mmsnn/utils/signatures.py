"""Signatures in which ``**options`` are spelled out, for ``help()`` and editors."""

import inspect
from collections.abc import Mapping
from typing import Any, get_args, get_type_hints, is_typeddict


def spell_out(cls: type, defaults: Mapping[str, Any]) -> inspect.Signature:
    """Return a class's signature with its ``**options`` spelled out.

    Args:
        cls: A class whose ``__init__`` may end with ``**options: Unpack[...]`` of a
            ``TypedDict`` with arguments of its base class.
        defaults: Defaults of arguments that the base class's signature does not show
            or that differ in this class.
    """
    own = inspect.signature(cls.__init__)  # type: ignore[misc]
    parameters = list(own.parameters.values())[1:]
    options = get_args(parameters[-1].annotation) if parameters else ()
    rest = parameters and parameters[-1].kind is inspect.Parameter.VAR_KEYWORD
    if rest and len(options) == 1 and is_typeddict(options[0]):
        known = {
            name: parameter.default
            for name, parameter in inspect.signature(cls.__mro__[1]).parameters.items()
        }
        parameters[-1:] = [
            inspect.Parameter(
                name,
                inspect.Parameter.KEYWORD_ONLY,
                default={**known, **defaults}[name],
                annotation=annotation,
            )
            for name, annotation in get_type_hints(options[0]).items()
        ]
    return own.replace(parameters=parameters)


__all__ = ['spell_out']
