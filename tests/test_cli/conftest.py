"""What the tests of ``mmsnn detect`` share."""

import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from mmsnn.cli.main import main


@pytest.fixture
def call(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Callable[..., int]:
    """Run ``mmsnn detect`` in an empty folder; return the exit code."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv('DISPLAY', raising=False)
    monkeypatch.delenv('WAYLAND_DISPLAY', raising=False)

    def run(*words: object) -> int:
        monkeypatch.setattr(sys, 'argv', ['mmsnn', 'detect', *map(str, words)])
        try:
            main()
        except SystemExit as end:
            return int(end.code or 0)
        return 0

    return run
