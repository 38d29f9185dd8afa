"""Reading of config files: Python, YAML or JSON."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import yaml
from mmengine.config import Config
from mmengine.fileio import BaseFileHandler
from mmengine.fileio.handlers.registry_utils import file_handlers
from mmengine.utils import import_modules_from_strings

from .config_checks import SETTINGS, check_bases
from .errors import UserError, first_line
from .paths import what_is_wrong
from .shipped_configs import find_config

_MOST_VALUES = 100_000
"""Limit of the values of a YAML config, in which aliases can multiply a few of them."""


class _SafeYamlHandler(BaseFileHandler):
    """Reads plain data only; MMEngine's handler builds any object that a tag names."""

    def load_from_fileobj(self, file: Any, **kwargs: Any) -> Any:
        loader = yaml.SafeLoader(file)
        try:
            node = loader.get_single_node()
            if node is None:
                return None
            number = _count_values(node, {})
            if number > _MOST_VALUES:
                raise ValueError(
                    f'it must have at most {_MOST_VALUES:,} values, but with its '
                    f'aliases replaced it has {number:,}'
                )
            return loader.construct_document(node)
        finally:
            loader.dispose()

    def dump_to_fileobj(self, obj: Any, file: Any, **kwargs: Any) -> None:
        raise NotImplementedError('configs are only read')

    def dump_to_str(self, obj: Any, **kwargs: Any) -> str:
        raise NotImplementedError('configs are only read')


def _count_values(node: yaml.Node, known: dict[yaml.Node, int | None]) -> int:
    """Return the number of values in a YAML node, with aliases replaced.

    Raises:
        ValueError: If an alias is inside the value that it refers to.
    """
    if node not in known:
        known[node] = None
        children: list[yaml.Node] = []
        if isinstance(node, yaml.MappingNode):
            children = [each for pair in node.value for each in pair]
        elif isinstance(node, yaml.SequenceNode):
            children = node.value
        known[node] = 1 + sum(_count_values(child, known) for child in children)
    number = known[node]
    if number is None:
        line = node.start_mark.line + 1
        raise ValueError(f'the value at line {line} has an alias of itself')
    return number


def load_config(path: str, cfg_options: Mapping[str, Any] | None = None) -> Config:
    """Read a config file and apply ``--cfg-options`` to it.

    Args:
        path: A file, or a config that an installed package ships, as
            ``PACKAGE::FOLDER/FILE``.
        cfg_options: Values by dotted keys.

    Raises:
        UserError: If the file is missing or cannot be read as a config, or if an
            option does not fit into it or names a module that cannot be imported.
    """
    path = find_config(path)
    if not Path(path).is_file():
        raise UserError(f'config {path!r} {what_is_wrong(path)}')
    check_bases(Path(path).resolve())
    try:
        with _safe_yaml():
            cfg = Config.fromfile(path)
    except KeyboardInterrupt:
        raise
    except BaseException as error:
        # A config is a program: it can raise any exception, SystemExit included.
        raise UserError(
            f'config {path!r} cannot be read: {first_line(error.__cause__ or error)}'
        ) from error
    sections = {option.partition('.')[0] for option in cfg_options or ()}
    unknown = sorted(sections - SETTINGS - set(cfg))
    if unknown:
        raise UserError(
            f'--cfg-options: config {path!r} has no {", ".join(unknown)}, and nothing '
            'would read it'
        )
    try:
        cfg.merge_from_dict(dict(cfg_options or {}))
    except Exception as error:
        raise UserError(
            f'--cfg-options do not fit config {path!r}: {first_line(error)}'
        ) from error
    if 'custom_imports' in sections and cfg.custom_imports is not None:
        _import(cfg)
    return cfg


def _import(cfg: Config) -> None:
    """Import the modules of ``custom_imports``, which MMEngine does before the options.

    Raises:
        UserError: If one cannot be imported.
    """
    try:
        import_modules_from_strings(**cfg.custom_imports)
    except Exception as error:
        raise UserError(
            f'--cfg-options: custom_imports {cfg.custom_imports} cannot be imported: '
            f'{first_line(error.__cause__ or error)}'
        ) from error


@contextmanager
def _safe_yaml() -> Iterator[None]:
    """Replace MMEngine's YAML handler, which also reads base configs."""
    before = dict(file_handlers)
    file_handlers.update(dict.fromkeys(('yaml', 'yml'), _SafeYamlHandler()))
    try:
        yield
    finally:
        file_handlers.update(before)
