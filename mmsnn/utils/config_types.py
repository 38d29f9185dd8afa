"""Types and data preprocessors in configs."""

from collections.abc import Mapping, Sequence
from typing import Any


def class_name(config: Any) -> str:
    """Return the name of a config's type, a class or a name with or without scope."""
    kind = config.get('type') if isinstance(config, Mapping) else type(config)
    return str(getattr(kind, '__name__', kind)).rpartition('.')[2]


def loads_image_files(pipeline: Sequence[Any]) -> bool:
    """Return whether a pipeline starts by loading an image file, which gives BGR.

    Otherwise the data set itself holds the images, which are RGB.
    """
    return bool(pipeline) and class_name(pipeline[0]).startswith('LoadImage')


def preprocessor_settings(cfg: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """Return the settings of a config's data preprocessor, None if there are none."""
    return cfg['model'].get('data_preprocessor') or cfg.get('data_preprocessor')


__all__ = ['class_name', 'loads_image_files', 'preprocessor_settings']
