"""Reading of config files: Python, YAML or JSON."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import yaml
from mmengine.config import Config
from mmengine.fileio import BaseFileHandler
from mmengine.fileio.handlers.registry_utils import file_handlers


class _SafeYamlHandler(BaseFileHandler):
    """Reads plain data only; MMEngine's handler builds any object that a tag names."""

    def load_from_fileobj(self, file: Any, **kwargs: Any) -> Any:
        return yaml.safe_load(file)

    def dump_to_fileobj(self, obj: Any, file: Any, **kwargs: Any) -> None:
        raise NotImplementedError('configs are only read')

    def dump_to_str(self, obj: Any, **kwargs: Any) -> str:
        raise NotImplementedError('configs are only read')


def read_config_file(path: str) -> Config:
    """Read a config as MMEngine does, but refuse YAML tags that make Python objects.

    Raises:
        Exception: Of any type, since a Python config is executed.
    """
    with _safe_yaml():
        return Config.fromfile(path)


@contextmanager
def _safe_yaml() -> Iterator[None]:
    """Replace MMEngine's YAML handler, which also reads base configs."""
    before = dict(file_handlers)
    file_handlers.update(dict.fromkeys(('yaml', 'yml'), _SafeYamlHandler()))
    try:
        yield
    finally:
        file_handlers.update(before)
