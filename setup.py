"""Refuses an environment whose PyTorch pip would replace. Metadata: pyproject.toml."""

import importlib.metadata
import re
import sys
import sysconfig

from setuptools import setup


def refuse_old_torch() -> None:
    """Stop where pip would replace an installed torch.

    SpikingJelly requires 2.6. pip would install the newest torch, with which an MMCV
    compiled against the old one does not work. pip builds this package in isolation,
    but with the interpreter of the target environment, whose packages are therefore
    searched by folder.
    """
    paths = sysconfig.get_paths()
    folders = list({paths['purelib'], paths['platlib']})
    for torch in importlib.metadata.distributions(name='torch', path=folders):
        match = re.match(r'(\d+)\.(\d+)', torch.version)
        if match and (int(match[1]), int(match[2])) < (2, 6):
            sys.exit(
                f'mmsnn needs torch >= 2.6, but {torch.version} is installed in '
                f'{sys.prefix}: upgrade torch there first, and compile MMCV again '
                'for it, or use another environment'
            )


refuse_old_torch()
setup()
