"""tools/setup.sh, with a uv that only notes how it is called."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

FILES = ('requirements.lock', 'pyproject.toml', 'setup.py', 'tools/setup.sh')

UV = """#!/bin/sh
echo "$*" >> "$LOG"
if [ "$1" = "$FAIL" ]; then exit 1; fi
if [ "$1" = venv ]; then
    rm -rf .venv && mkdir -p .venv/bin
    cp "$(command -v made_python)" .venv/bin/python
fi
"""


class SetUp:
    """A project whose set-up can be run.

    Args:
        root: Its folder.
        folder: Of the commands that take the place of the real ones.
    """

    def __init__(self, root: Path, folder: Path) -> None:
        self.root, self.folder, self.log = root, folder, folder / 'log'
        self.command('uv', UV)
        self.python('python3', '3.11')
        self.python('made_python', '3.11')

    def command(self, name: str, text: str) -> None:
        (self.folder / name).write_text(text)
        (self.folder / name).chmod(0o755)

    def python(self, name: str, version: str) -> None:
        self.command(name, f'#!/bin/sh\necho {version}\n')

    def run(self, **variables: str) -> tuple[int, list[str], str]:
        """Return the exit code, how uv was called, and what was said on stderr."""
        self.log.write_text('')
        done = subprocess.run(
            ['bash', 'tools/setup.sh'],
            cwd=self.root,
            env={
                'PATH': f'{self.folder}:{os.environ["PATH"]}',
                'LOG': str(self.log),
                'FAIL': '',
                **variables,
            },
            capture_output=True,
            text=True,
        )
        return done.returncode, self.log.read_text().splitlines(), done.stderr


@pytest.fixture
def set_up(root: Path, tmp_path: Path) -> SetUp:
    project, commands = tmp_path / 'project', tmp_path / 'commands'
    (project / 'tools').mkdir(parents=True)
    commands.mkdir()
    for name in FILES:
        shutil.copy(root / name, project / name)
    return SetUp(project, commands)


def test_nothing_is_done_twice(set_up: SetUp) -> None:
    code, calls, _ = set_up.run()
    assert code == 0
    assert calls[0].startswith('venv --clear')
    assert calls[-1].endswith('--editable .')
    assert set_up.run() == (0, [], '')


def test_a_changed_lock_is_installed_into_the_same_environment(set_up: SetUp) -> None:
    set_up.run()
    with (set_up.root / 'requirements.lock').open('a') as file:
        file.write('six==1.17.0\n')
    code, calls, _ = set_up.run()
    assert code == 0 and calls
    assert not any(call.startswith('venv') for call in calls)


def test_an_interrupted_set_up_starts_anew(set_up: SetUp) -> None:
    assert set_up.run(FAIL='pip')[0] != 0
    code, calls, _ = set_up.run()
    assert code == 0
    assert calls[0].startswith('venv --clear')


def test_another_interpreter_takes_another_environment(set_up: SetUp) -> None:
    set_up.run()
    set_up.python('python3', '3.13')
    assert set_up.run() == (0, [], '')
    set_up.python('python3.12', '3.12')
    code, calls, _ = set_up.run(PYTHON='python3.12')
    assert code == 0
    assert calls[0] == 'venv --clear --python python3.12 .venv'


@pytest.mark.parametrize(
    ('version', 'variables', 'parts'),
    [
        ('3.10', {}, ['python3 is 3.10', 'PYTHON=']),
        ('3.14', {}, ['python3 is 3.14', 'PYTHON=']),
        ('3.11', {'PYTHON': '/nowhere/python'}, ['/nowhere/python does not run']),
        # an environment of somebody else
        ('3.11', {}, ['was not made by this set-up']),
    ],
)
def test_what_is_refused(
    set_up: SetUp, version: str, variables: dict[str, str], parts: list[str]
) -> None:
    (set_up.root / '.venv').mkdir()
    set_up.python('python3', version)
    code, calls, said = set_up.run(**variables)
    assert (code, calls) == (1, [])
    assert all(part in said for part in parts)
    assert (set_up.root / '.venv').is_dir()
