"""Check the versions of mmsnn's dependencies before they are imported."""

from __future__ import annotations

import functools
import importlib
import importlib.metadata
import importlib.util
import sys
from dataclasses import dataclass, replace
from pathlib import Path

try:
    from packaging.specifiers import SpecifierSet
    from packaging.version import InvalidVersion
except ImportError as error:
    raise ImportError(
        'mmsnn needs the package packaging, which was not found: pip install packaging'
    ) from error


@dataclass(frozen=True)
class Dependency:
    """A dependency of mmsnn and its supported versions.

    Attributes:
        module: Name of the module to import.
        distributions: Names of the distributions that provide it. OpenMMLab's packages
            have two: the original and its maintained continuation.
        versions: Supported range, written as in a requirement.
        tested: Version that mmsnn's tests run with.
        install: Command that installs it.
        required: Whether the tools need it for every model.
        extension: Name of a compiled submodule that must be present, if any.
    """

    module: str
    distributions: tuple[str, ...]
    versions: str
    tested: str
    install: str
    required: bool = True
    extension: str | None = None


DEPENDENCIES = (
    # SpikingJelly 2 needs 2.6; no version before the next major one is known to fail.
    Dependency(
        'torch', ('torch',), '>=2.6,<3', '2.10.0', 'see https://pytorch.org/get-started'
    ),
    # 0.10 has the lazy and the plain config styles and the registries used here;
    # MMPretrain supports versions below 1.0.
    Dependency(
        'mmengine',
        ('onedl-mmengine', 'mmengine'),
        '>=0.10,<1',
        '0.10.12',
        "pip install 'onedl-mmengine==0.10.12'",
    ),
    # MMPretrain rejects 2.4 and later; MMDetection 3.3 requires more than 2.0.0.
    Dependency(
        'mmcv',
        ('onedl-mmcv', 'mmcv'),
        '>=2.1,<2.4',
        '2.3.6',
        "pip install --no-build-isolation 'onedl-mmcv==2.3.6'",
        extension='_ext',
    ),
    # 3.3 is the last release of the original; the continuation starts after it.
    Dependency(
        'mmdet',
        ('onedl-mmdetection', 'mmdet'),
        '>=3.3,<4',
        '3.5.1',
        "pip install 'onedl-mmdetection==3.5.1'",
    ),
    # 2.0 introduced the stateless functional neurons.
    Dependency(
        'spikingjelly',
        ('spikingjelly',),
        '>=2.0,<3',
        '2.0.0',
        "pip install 'spikingjelly==2.0.0'",
    ),
    # Only for classification.
    Dependency(
        'mmpretrain',
        ('onedl-mmpretrain', 'mmpretrain'),
        '>=1.2,<2',
        '1.3.6',
        "pip install 'onedl-mmpretrain==1.3.6'",
        required=False,
    ),
)


def is_installed(module: str) -> bool:
    """Return whether a top-level module can be found, without importing it."""
    if module in sys.modules:
        # an entry of None makes an import fail
        return sys.modules[module] is not None
    try:
        return importlib.util.find_spec(module) is not None
    except (ImportError, ValueError):
        return False


def installed_version(dependency: Dependency) -> str | None:
    """Return the version of an installed dependency, or None if it is unknown.

    It is read from the distribution's metadata, without importing the module. If
    both distributions of a package are installed, or neither (as with a source tree
    on the path), the module is imported and its ``__version__`` is used.
    """
    found = []
    for name in dependency.distributions:
        try:
            found.append(importlib.metadata.version(name))
        except importlib.metadata.PackageNotFoundError:
            continue
    if len(found) == 1:
        return found[0]
    version = getattr(importlib.import_module(dependency.module), '__version__', None)
    return None if version is None else str(version)


def has_extension(module: str, extension: str) -> bool:
    """Return whether a package has a compiled submodule, without importing it."""
    spec = importlib.util.find_spec(module)
    folders = (spec.submodule_search_locations if spec else None) or ()
    return any(any(Path(folder).glob(f'{extension}.*')) for folder in folders)


def find_problem(dependency: Dependency) -> str | None:
    """Return a one-line description of a dependency's problem, or None.

    Args:
        dependency: The dependency to check.

    Returns:
        What was found, which versions are supported and how to install one.
    """
    needs = (
        f'mmsnn works with {dependency.versions} (tested with {dependency.tested}); '
        f'to install: {dependency.install}'
    )
    if not is_installed(dependency.module):
        if not dependency.required:
            return None
        return f'{dependency.module} is not installed; {needs}'
    try:
        version = installed_version(dependency)
    except ImportError as error:
        return (
            f'{dependency.module} is installed but fails to import ({error}); {needs}'
        )
    if version is None:
        return f'{dependency.module} is installed without a version; {needs}'
    try:
        fits = SpecifierSet(dependency.versions).contains(version, prereleases=True)
    except InvalidVersion:
        fits = False
    if not fits:
        return f'{dependency.module} {version} was found; {needs}'
    extension = dependency.extension
    if extension and not has_extension(dependency.module, extension):
        return (
            f'{dependency.module} {version} was found without its compiled operators; '
            f'{needs}'
        )
    return None


def check_dependencies(dependencies: tuple[Dependency, ...] = DEPENDENCIES) -> None:
    """Check that mmsnn's dependencies are installed in supported versions.

    Args:
        dependencies: The dependencies to check.

    Raises:
        ImportError: If a required dependency is missing, or one is installed in an
            unsupported version. The message lists all of them, with the version found
            and the supported versions.
    """
    problems = [text for text in map(find_problem, dependencies) if text]
    if problems:
        lines = ''.join(f'\n  - {problem}' for problem in problems)
        raise ImportError(f'mmsnn cannot be used in this environment:{lines}')


@functools.cache
def require(*modules: str) -> None:
    """Check the dependencies of a part of mmsnn.

    Args:
        modules: Names of modules in :data:`DEPENDENCIES`; optional ones must be
            installed too.

    Raises:
        ImportError: See :func:`check_dependencies`.
    """
    check_dependencies(
        tuple(
            replace(dependency, required=True)
            for dependency in DEPENDENCIES
            if dependency.module in modules
        )
    )
