import fcntl
import os
from pathlib import Path

import pytest

from env_setup import main as main_module
from env_setup.checks import SetupError
from env_setup.main import set_up, stages_to_do, take_lock
from env_setup.project import Project, Stage
from env_setup.runner import Runner


class Work:
    """Stages a, b and c that record when they run; `broken` ones fail."""

    def __init__(self, folder: Path) -> None:
        self.done: list[str] = []
        self.broken: set[str] = set()
        self.project = Project(folder)
        self.stages = tuple(self._stage(name) for name in 'abc')

    def _stage(self, name: str) -> Stage:
        def run(project: Project, runner: Runner) -> None:
            project.stamps.mkdir(parents=True, exist_ok=True)
            project.temporary.mkdir(exist_ok=True)
            if name in self.broken:
                raise SetupError(f'{name} broke')
            self.done.append(name)

        (self.project.root / name).touch()
        return Stage(name, name, (name,), run)

    def set_up(self) -> str:
        """Set up; return the names of the stages that ran."""
        self.done.clear()
        set_up(self.project, self.stages)
        return ''.join(self.done)


@pytest.fixture
def work(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Work:
    monkeypatch.setattr(
        main_module, 'venv_works', lambda project: project.venv.exists()
    )
    return Work(tmp_path)


def test_what_is_done_is_not_done_again(work: Work) -> None:
    assert work.set_up() == 'abc'
    assert stages_to_do(work.project, work.stages) == ()
    assert work.set_up() == ''


def test_a_failed_set_up_is_taken_up_where_it_stopped(work: Work) -> None:
    work.broken = {'b'}
    with pytest.raises(SetupError, match='b broke'):
        work.set_up()
    work.broken = set()
    assert work.set_up() == 'bc'


def test_a_changed_requirement_is_installed(work: Work) -> None:
    work.set_up()
    (work.project.root / 'b').write_text('changed')
    assert work.set_up() == 'bc'


def test_later_stages_wait_for_a_changed_one(work: Work) -> None:
    work.set_up()
    before = (work.project.root / 'b').read_text()
    (work.project.root / 'b').write_text('changed')
    work.broken = {'b'}
    with pytest.raises(SetupError):
        work.set_up()
    # Even if the change is taken back: nobody knows what the failure left.
    (work.project.root / 'b').write_text(before)
    work.broken = set()
    assert work.set_up() == 'bc'


def test_a_broken_environment_is_made_anew(
    work: Work, monkeypatch: pytest.MonkeyPatch
) -> None:
    work.set_up()
    monkeypatch.setattr(main_module, 'venv_works', lambda project: False)
    assert work.set_up() == 'abc'


def test_venv_works_needs_an_interpreter_that_runs(tmp_path: Path) -> None:
    project = Project(tmp_path)
    assert not main_module.venv_works(project)
    project.python.parent.mkdir(parents=True)
    project.python.write_text('#!/bin/sh\necho "(3, 9)" elsewhere\n')
    project.python.chmod(0o755)
    assert not main_module.venv_works(project)


def test_one_set_up_at_a_time(tmp_path: Path) -> None:
    lock = take_lock(Project(tmp_path))
    other = os.open(tmp_path / '.venv.lock', os.O_RDWR)
    with pytest.raises(BlockingIOError):
        fcntl.flock(other, fcntl.LOCK_EX | fcntl.LOCK_NB)
    os.close(lock)
    fcntl.flock(other, fcntl.LOCK_EX | fcntl.LOCK_NB)
    os.close(other)


@pytest.mark.parametrize(
    ('error', 'code', 'text'),
    [
        (SetupError('no compiler'), 1, 'error: no compiler'),
        (OSError(28, 'No space left on device'), 1, 'free some space'),
        (KeyboardInterrupt(), 130, 'takes it up again'),
    ],
)
def test_main_reports_in_one_line(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    error: BaseException,
    code: int,
    text: str,
) -> None:
    def fail(*_: object) -> None:
        raise error

    monkeypatch.setattr(main_module.signal, 'signal', lambda *_: None)
    monkeypatch.setattr(main_module, 'stages_to_do', fail)
    assert main_module.main() == code
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 1
    assert text in lines[0]


def test_main_is_silent_when_all_is_done(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(main_module.signal, 'signal', lambda *_: None)
    monkeypatch.setattr(main_module, 'stages_to_do', lambda *_: ())
    assert main_module.main() == 0
    assert capsys.readouterr() == ('', '')
