import runpy
import subprocess
import sys
from pathlib import Path

import pytest


@pytest.mark.parametrize('version', [(2, 7, 18), (3, 10, 13), (3, 14, 0)])
def test_unsupported_python_is_one_line(
    root: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    version: tuple[int, int, int],
) -> None:
    monkeypatch.setattr(sys, 'version_info', version)
    monkeypatch.setattr(subprocess, 'call', lambda *args, **kwargs: 127)
    with pytest.raises(SystemExit) as stop:
        runpy.run_path(str(root / 'tools' / 'setup_env.py'), run_name='__main__')
    assert stop.value.code == 1
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 1
    assert '.'.join(map(str, version)) in lines[0]
    assert '3.11 to 3.13' in lines[0]
    assert 'install one' in lines[0]


def test_a_supported_python_that_runs_is_named(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    entry = runpy.run_path(str(root / 'tools' / 'setup_env.py'))

    def only_312_runs(command: list[str], **_: object) -> int:
        if command[0] == 'python3.11':
            raise FileNotFoundError(command[0])
        return 0 if command[0] == 'python3.12' else 127

    monkeypatch.setattr(subprocess, 'call', only_312_runs)
    assert 'make PYTHON=python3.12' in entry['unsupported_message']((3, 10, 0))
