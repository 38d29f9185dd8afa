"""Configs shipped with packages, under names such as ``mmsnn::digits/NAME.py``.

MMEngine and packages based on it find the configs of known packages in ``.mim`` of the
installed package. This package is registered as known when it is imported.
"""

import difflib
import importlib.util
import re
from pathlib import Path
from typing import Any

from mmengine.config import Config
from mmengine.config.utils import MODULE2PACKAGE

from .errors import UserError


def find_config(name: str) -> str:
    """Return the path of a config.

    Args:
        name: ``PACKAGE::FOLDER/FILE``, looked up in ``.mim/configs`` of an installed
            package, or a path, which is returned as it is.

    Raises:
        UserError: If MMEngine does not know the package, or if it is not installed or
            has no such config.
    """
    match = re.fullmatch(r'(\w+)::(.+)', name)
    if match is None:
        return name
    package, relative = match.groups()
    if package not in MODULE2PACKAGE:
        raise UserError(
            f'config {name!r}: the package must be one of '
            f'{", ".join(MODULE2PACKAGE)}, but got {package!r}'
        )
    spec = importlib.util.find_spec(package)
    if spec is None or spec.origin is None:
        raise UserError(f'config {name!r}: the package {package!r} is not installed')
    folder = Path(spec.origin).parent / '.mim' / 'configs'
    path = folder / relative
    if not path.is_file():
        names = [str(path.relative_to(folder)) for path in folder.glob('*/*.py')]
        near = difflib.get_close_matches(relative, names, 1)
        hint = f'; is it {package + "::" + near[0]!r}?' if near else ''
        raise UserError(f'config {name!r} does not exist in {package!r}{hint}')
    return str(path)


def shipped_weights(config: str) -> str | None:
    """Return the path of the weights that are shipped for a shipped config, if any.

    Args:
        config: Path of the config, or ``mmsnn::FOLDER/FILE``.

    Raises:
        UserError: See :func:`find_config`.
    """
    path = Path(find_config(config)).resolve()
    package = Path(__file__).resolve().parents[1]
    configs = (package / '.mim' / 'configs').resolve()
    weights = package / 'weights' / f'{path.stem}.pth'
    shipped = path.is_relative_to(configs) and weights.is_file()
    return str(weights) if shipped else None


def needed_weights(config: str, where: str = '') -> str:
    """Return the path of the weights that are shipped for a config.

    Args:
        config: Path of the config, or ``mmsnn::FOLDER/FILE``.
        where: The place of the checkpoint on the command line, for the message.

    Raises:
        UserError: If there is no such config, or no weights are shipped for it.
    """
    weights = shipped_weights(config)
    if weights is None:
        place = f' {where}' if where else ''
        raise UserError(
            f'no weights are shipped for config {config!r}: give a checkpoint{place}'
        )
    return weights


def use_shipped_weights(cfg: Config) -> None:
    """Replace a ``load_from`` that names a shipped config by its weights' path.

    Args:
        cfg: A full config.

    Raises:
        UserError: If there is no such config, or if it is shipped without weights.
    """
    name = cfg.get('load_from')
    if not isinstance(name, str) or not name.startswith('mmsnn::'):
        return
    cfg.load_from = shipped_weights(name)
    if cfg.load_from is None:
        raise UserError(
            f'load_from: config {name!r} is shipped without weights; `mmsnn configs` '
            'marks those with weights'
        )


def register_package() -> None:
    """Make MMEngine find this package's configs.

    MMEngine looks up the types in a base config of another package in that package's
    scope, but this package's configs use the scope of MMDetection or MMPretrain.
    """
    MODULE2PACKAGE['mmsnn'] = 'mmsnn'
    get_cfg_path = Config._get_cfg_path

    def get_cfg_path_without_scope(cfg_path: str, filename: str) -> Any:
        if cfg_path.startswith('mmsnn::'):
            return find_config(cfg_path), None
        return get_cfg_path(cfg_path, filename)

    Config._get_cfg_path = staticmethod(get_cfg_path_without_scope)
