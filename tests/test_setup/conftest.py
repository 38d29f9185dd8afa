"""Puts `tools` on the path: the set-up is a script's package, not installed."""

import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
# At the end: tools/test.py must not hide the standard library's `test`.
sys.path.append(str(ROOT / 'tools'))

from env_setup.project import Project  # noqa: E402


@pytest.fixture
def root() -> Path:
    """Return the folder of this project."""
    return ROOT


@pytest.fixture
def project(tmp_path: Path) -> Project:
    """Return an empty project with a `.venv` marked as the set-up's."""
    project = Project(tmp_path)
    project.stamps.mkdir(parents=True)
    return project
