import re
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name

from mmsnn._compat import DEPENDENCIES


def _requirements(path: Path) -> dict[str, Requirement]:
    lines = (line.strip() for line in path.read_text().splitlines())
    parsed = [Requirement(line) for line in lines if line and line[0] != '#']
    return {canonicalize_name(item.name): item for item in parsed}


@pytest.fixture
def locked(root: Path) -> dict[str, str]:
    """Return the version of each package in the lock file."""
    items = _requirements(root / 'requirements' / 'lock.txt')
    return {
        name: str(item.specifier).removeprefix('==') for name, item in items.items()
    }


def test_the_lock_has_one_exact_version_each(locked: dict[str, str]) -> None:
    assert all(re.fullmatch(r'[0-9][0-9a-z.]*', text) for text in locked.values())


def test_the_lock_covers_all_requirements(root: Path, locked: dict[str, str]) -> None:
    for path in (root / 'requirements').glob('*.txt'):
        for name, requirement in _requirements(path).items():
            assert requirement.url is None
            assert requirement.specifier.contains(locked[name]), f'{path.name}: {name}'


def test_both_opencv_distributions_are_of_one_version(locked: dict[str, str]) -> None:
    assert locked['opencv-python'] == locked['opencv-python-headless']


@pytest.mark.parametrize('dependency', DEPENDENCIES, ids=lambda item: item.module)
def test_the_versions_said_to_be_tested_are_the_locked_ones(
    dependency, locked: dict[str, str]
) -> None:
    assert dependency.tested == locked[dependency.distributions[0]]
    assert SpecifierSet(dependency.versions).contains(dependency.tested)


def test_nothing_of_openmmlab_is_pulled_in_by_the_package(root: Path) -> None:
    names = _requirements(root / 'requirements' / 'runtime.txt')
    assert not [name for name in names if 'mm' in name or name.startswith('torch')]
