"""Packaging of mmsnn.

The OpenMMLab packages are not dependencies here: each exists under two
distribution names (`mmdet` and `onedl-mmdetection`, ...), and pip would install
the second beside the first. `mmsnn` checks for them when it is imported.
"""

from __future__ import annotations

import importlib.metadata
import re
import sys
import sysconfig
from pathlib import Path

from setuptools import find_packages, setup

ROOT = Path(__file__).resolve().parent


def read_version() -> str:
    """Return the version without importing the package, which needs torch."""
    text = (ROOT / 'mmsnn' / 'version.py').read_text(encoding='utf-8')
    match = re.search(r"^__version__ = '([^']+)'", text, re.MULTILINE)
    if match is None:
        raise ValueError("mmsnn/version.py has no line __version__ = '...'")
    return match.group(1)


def read_requirements(name: str) -> list[str]:
    """Return the requirements in `requirements/<name>.txt`."""
    path = ROOT / 'requirements' / f'{name}.txt'
    lines = (line.strip() for line in path.read_text(encoding='utf-8').splitlines())
    return [line for line in lines if line and not line.startswith('#')]


def read_readme() -> str:
    """Return the long description, empty in a tree without a README."""
    path = ROOT / 'README.md'
    return path.read_text(encoding='utf-8') if path.is_file() else ''


def refuse_old_torch() -> None:
    """Stop where pip would replace an installed torch.

    SpikingJelly asks for 2.6. pip would meet that with the newest torch, and leave
    an MMCV behind that was compiled against the old one. pip builds this package in
    isolation but with the interpreter of the environment that it installs into,
    whose packages are thus found by their place.
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
setup(
    name='mmsnn',
    version=read_version(),
    description='Spiking backbones and spike decoders for MMDetection',
    long_description=read_readme(),
    long_description_content_type='text/markdown',
    author='The mmsnn authors',
    license='Apache-2.0',
    keywords='spiking neural networks, object detection, MMDetection',
    classifiers=[
        'Development Status :: 3 - Alpha',
        'Intended Audience :: Science/Research',
        'Operating System :: POSIX :: Linux',
        'Programming Language :: Python :: 3.11',
        'Programming Language :: Python :: 3.12',
        'Programming Language :: Python :: 3.13',
        'Topic :: Scientific/Engineering :: Artificial Intelligence',
    ],
    python_requires='>=3.11',
    packages=find_packages(include=['mmsnn', 'mmsnn.*']),
    package_data={'mmsnn.kernels': ['*.cpp']},
    install_requires=read_requirements('runtime'),
    extras_require={
        name: read_requirements(name) for name in ('demo', 'tests', 'lint')
    },
)
