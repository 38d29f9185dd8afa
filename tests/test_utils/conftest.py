"""Fixtures of files: annotations in the current folder, traces of hostile ones."""

from pathlib import Path

import pytest

from . import coco_files


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The current folder, with the annotations of two equal splits."""
    coco_files.make_folder(tmp_path)
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def marker(tmp_path: Path) -> Path:
    """What a hostile file creates if code in it runs."""
    return tmp_path / 'marker'
