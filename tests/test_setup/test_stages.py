import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace

import pytest

from env_setup import project as project_module
from env_setup import stages
from env_setup.checks import SetupError
from env_setup.project import Project, stage_keys


class RecordingRunner:
    """Takes the place of a Runner; remembers the commands."""

    def __init__(self) -> None:
        self.commands: list[list[str]] = []
        self.env: dict[str, str] = {}

    def run(self, command: Sequence[str | Path], failure: str, cwd: Path) -> None:
        self.commands.append([str(word) for word in command])


@pytest.fixture
def runner() -> RecordingRunner:
    return RecordingRunner()


def _exits(monkeypatch: pytest.MonkeyPatch, code: int) -> list[list[str]]:
    """Make direct calls of commands exit with a code; return their record."""
    calls: list[list[str]] = []

    def run(command: list[str], **_: object) -> SimpleNamespace:
        calls.append(command)
        return SimpleNamespace(returncode=code)

    monkeypatch.setattr(subprocess, 'run', run)
    return calls


def test_every_stage_finds_its_inputs(root: Path) -> None:
    keys = stage_keys(Project(root), stages.STAGES)
    assert len(keys) == len(stages.STAGES)


def test_a_foreign_environment_is_refused(
    tmp_path: Path, runner: RecordingRunner
) -> None:
    (tmp_path / '.venv' / 'bin').mkdir(parents=True)
    with pytest.raises(SetupError, match='was not made by this set-up'):
        stages.make_venv(Project(tmp_path), runner)
    assert (tmp_path / '.venv' / 'bin').is_dir()


def test_our_environment_is_made_anew(
    project: Project, runner: RecordingRunner
) -> None:
    (project.venv / 'lib' / 'old').mkdir(parents=True)
    (project.venv / 'lib64').symlink_to('lib')
    stages.make_venv(project, runner)
    assert [path.name for path in project.venv.iterdir()] == [project_module.MARKER]
    assert runner.commands == [
        [project_module.base_python(), '-m', 'venv', str(project.venv)]
    ]


def test_a_python_without_venv_is_explained(
    project: Project, runner: RecordingRunner, monkeypatch: pytest.MonkeyPatch
) -> None:
    _exits(monkeypatch, 1)
    version = f'{sys.version_info[0]}.{sys.version_info[1]}'
    with pytest.raises(SetupError, match=f'apt install python{version}-venv'):
        stages.make_venv(project, runner)


def test_no_compiler_is_needed_for_a_compiled_mmcv(
    project: Project, runner: RecordingRunner, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stages, 'missing_for_compiling', lambda: 'no compiler')
    calls = _exits(monkeypatch, 0)
    stages.check_mmcv_possible(project, runner)
    assert '--only-binary=:all:' in calls[0]
    _exits(monkeypatch, 1)
    with pytest.raises(SetupError, match='no compiler'):
        stages.check_mmcv_possible(project, runner)


def test_nothing_is_downloaded_without_room_or_compiler(
    project: Project, runner: RecordingRunner, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv('MMSNN_SETUP_GIB', '1e9')
    with pytest.raises(SetupError, match='disk is too full'):
        stages.install_torch(project, runner)
    assert runner.commands == []


def test_headless_opencv_is_installed_last(
    project: Project, runner: RecordingRunner
) -> None:
    stages.install_opencv(project, runner)
    assert '--force-reinstall' in runner.commands[-1]
    assert runner.commands[-1][-1] == 'opencv-python-headless'


@pytest.mark.parametrize(('exit_code', 'commands'), [(0, 1), (1, 2)])
def test_mmcv_is_compiled_anew_where_a_wheel_does_not_fit(
    project: Project,
    runner: RecordingRunner,
    monkeypatch: pytest.MonkeyPatch,
    exit_code: int,
    commands: int,
) -> None:
    monkeypatch.setattr(stages, 'missing_for_compiling', lambda: None)
    _exits(monkeypatch, exit_code)
    stages.install_mmcv(project, runner)
    assert len(runner.commands) == commands
    fresh = '--no-binary=onedl-mmcv' in runner.commands[-1]
    assert fresh == (exit_code != 0)


def test_installs_are_constrained_by_the_lock(
    project: Project, runner: RecordingRunner
) -> None:
    stages.install_rest(project, runner)
    (command,) = runner.commands
    assert command[command.index('-c') + 1] == 'requirements/lock.txt'
