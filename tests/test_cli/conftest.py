"""How the tests of the commands run them."""

import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from mmsnn.cli.main import main

Run = Callable[..., int]


@pytest.fixture
def run_mmsnn(monkeypatch: pytest.MonkeyPatch) -> Run:
    """Run ``mmsnn`` in this process; return the exit code."""

    def run(*words: object) -> int:
        monkeypatch.setattr(sys, 'argv', ['mmsnn', *map(str, words)])
        try:
            main()
        except SystemExit as end:
            return int(end.code or 0)
        return 0

    return run


@pytest.fixture
def detect(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, run_mmsnn: Run) -> Run:
    """Run ``mmsnn detect`` in an empty folder; return the exit code."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv('DISPLAY', raising=False)
    monkeypatch.delenv('WAYLAND_DISPLAY', raising=False)
    return lambda *words: run_mmsnn('detect', *words)
