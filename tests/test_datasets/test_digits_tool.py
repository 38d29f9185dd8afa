"""tools/dataset_tools/digits_detection.py, as a user runs it."""

import os
import runpy
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

PROJECT = Path(__file__).resolve().parents[2]
TOOL = PROJECT / 'tools/dataset_tools/digits_detection.py'
COUNTS = ['--num-train', '4', '--num-val', '3', '--image-size', '120']


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Run the tool in this process, in an empty folder."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, 'path', sys.path[:])

    def run_tool(*options: str) -> None:
        monkeypatch.setattr(sys, 'argv', [str(TOOL), *options])
        runpy.run_path(str(TOOL), run_name='__main__')

    return run_tool


def test_makes_a_set_in_the_default_folder_once(
    run: Callable[..., None], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run(*COUNTS)
    printed = capsys.readouterr().out
    assert 'Made data/digits_detection in' in printed
    assert 'train 4 images' in printed and 'val   3 images' in printed
    root = tmp_path / 'data/digits_detection'
    assert len(list(root.glob('train/*.png'))) == 4
    assert (root / 'annotations/instances_val.json').is_file()
    run(*COUNTS)
    printed = capsys.readouterr().out
    assert 'is complete with these options, left as it is' in printed


@pytest.mark.parametrize(
    ('options', 'message'),
    [
        (['--max-objects', '99'], 'max_objects must be from 1 to 20, but got 99'),
        (['--out-dir', str(PROJECT / 'tools')], 'not of a digits detection set'),
        (['--out-dir', '/dev/null/set'], '/dev/null/set'),
    ],
)
def test_mistake_is_one_line(
    run: Callable[..., None],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    options: list[str],
    message: str,
) -> None:
    with pytest.raises(SystemExit) as exit_info:
        run(*options)
    assert exit_info.value.code == 2
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 1
    assert lines[0].startswith('error: ') and message in lines[0]
    assert not any(tmp_path.iterdir())


def test_missing_scikit_learn_is_one_line(tmp_path: Path) -> None:
    """And importing mmsnn does without it."""
    code = (
        'import runpy, sys\n'
        "sys.modules['sklearn'] = None\n"
        f"sys.argv = [{str(TOOL)!r}, '--out-dir', 'set']\n"
        "runpy.run_path(sys.argv[0], run_name='__main__')\n"
    )
    result = subprocess.run(
        [sys.executable, '-c', code],
        cwd=tmp_path,
        env={k: v for k, v in os.environ.items() if k != 'PYTHONPATH'},
        capture_output=True,
        text=True,
    )
    assert result.returncode == 2
    assert 'Traceback' not in result.stderr
    errors = [line for line in result.stderr.splitlines() if line.startswith('error: ')]
    assert len(errors) == 1 and 'pip install scikit-learn' in errors[0]
    assert not any(tmp_path.iterdir())
