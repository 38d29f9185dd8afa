"""Types in configs."""

from collections.abc import Mapping
from typing import Any


def class_name(config: Any) -> str:
    """Return the name of a config's type, a class or a name with or without scope."""
    kind = config.get('type') if isinstance(config, Mapping) else type(config)
    return str(getattr(kind, '__name__', kind)).rpartition('.')[2]


__all__ = ['class_name']
