"""Reading of configs by commands that do not train or test."""

import argparse
from typing import TYPE_CHECKING

from .progress import working

if TYPE_CHECKING:
    from mmengine.config import Config


@working('Reading the config')
def read_config(args: argparse.Namespace) -> 'Config':
    """Read the config and make its scope the default one.

    Raises:
        UserError: If it is missing or broken, or an option does not fit it.
    """
    from mmdet.utils import register_all_modules
    from mmengine.registry import init_default_scope

    import mmsnn  # noqa: F401
    from mmsnn.utils.config_files import load_config

    cfg = load_config(args.config, args.cfg_options)
    register_all_modules(init_default_scope=False)
    init_default_scope(cfg.get('default_scope', 'mmengine'))
    return cfg
