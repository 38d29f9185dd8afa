"""The locked versions are those that the project asks for and checks."""

import re
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name

from mmsnn._compat import DEPENDENCIES


@pytest.fixture(scope='module')
def settings() -> dict[str, Any]:
    path = Path(__file__).resolve().parents[2] / 'pyproject.toml'
    return tomllib.loads(path.read_text())


@pytest.fixture(scope='module')
def locked() -> dict[str, str]:
    """Return the version of each package in the lock file."""
    path = Path(__file__).resolve().parents[2] / 'requirements.lock'
    lines = [line for line in path.read_text().splitlines() if line[:1] != '#']
    items = [Requirement(line) for line in lines]
    assert all(item.url is None for item in items)
    return {
        canonicalize_name(item.name): str(item.specifier).removeprefix('==')
        for item in items
    }


def _asked_for(settings: dict[str, Any]) -> Iterator[str]:
    yield from settings['project']['dependencies']
    for items in settings['project']['optional-dependencies'].values():
        yield from items
    for items in settings['dependency-groups'].values():
        yield from (item for item in items if isinstance(item, str))


def test_the_lock_has_one_exact_version_each(locked: dict[str, str]) -> None:
    assert all(re.fullmatch(r'[0-9][0-9a-z.]*', text) for text in locked.values())


def test_the_lock_covers_all_requirements(
    settings: dict[str, Any], locked: dict[str, str]
) -> None:
    for text in _asked_for(settings):
        item = Requirement(text)
        assert item.specifier.contains(locked[canonicalize_name(item.name)]), text


def test_one_distribution_of_opencv(locked: dict[str, str]) -> None:
    """Both hold the same files, and one of them needs a screen's libraries."""
    assert [name for name in locked if 'opencv' in name] == ['opencv-python-headless']


@pytest.mark.parametrize('dependency', DEPENDENCIES, ids=lambda item: item.module)
def test_the_versions_said_to_be_tested_are_the_locked_ones(
    dependency, locked: dict[str, str]
) -> None:
    assert dependency.tested == locked[dependency.distributions[0]]
    assert SpecifierSet(dependency.versions).contains(dependency.tested)


def test_nothing_of_openmmlab_is_pulled_in_by_the_package(
    settings: dict[str, Any],
) -> None:
    names = settings['project']['dependencies']
    assert not [name for name in names if 'mm' in name or name.startswith('torch')]
