"""Types and data preprocessors in configs."""

from collections.abc import Mapping
from typing import Any


def class_name(config: Any) -> str:
    """Return the name of a config's type, a class or a name with or without scope."""
    kind = config.get('type') if isinstance(config, Mapping) else type(config)
    return str(getattr(kind, '__name__', kind)).rpartition('.')[2]


def preprocessor_settings(cfg: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """Return the settings of a config's data preprocessor, None if there are none."""
    return cfg['model'].get('data_preprocessor') or cfg.get('data_preprocessor')


__all__ = ['class_name', 'preprocessor_settings']
