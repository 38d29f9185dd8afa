from pathlib import Path

import pytest

from env_setup.checks import SetupError
from env_setup.project import (
    Project,
    Stage,
    child_environment,
    clear_remains,
    stage_keys,
)
from env_setup.runner import Runner


def _nothing(project: Project, runner: Runner) -> None:
    pass


STAGES = tuple(Stage(name, name, (f'{name}.txt',), _nothing) for name in 'abc')


def _write_inputs(folder: Path) -> Project:
    for name in 'abc':
        (folder / f'{name}.txt').write_text(name)
    return Project(folder)


def test_a_changed_input_invalidates_its_stage_and_later_ones(tmp_path: Path) -> None:
    project = _write_inputs(tmp_path)
    before = stage_keys(project, STAGES)
    assert stage_keys(project, STAGES) == before
    (tmp_path / 'b.txt').write_text('changed')
    after = stage_keys(project, STAGES)
    assert [before[name] == after[name] for name in 'abc'] == [True, False, False]


def test_a_moved_project_invalidates_everything(tmp_path: Path) -> None:
    folders = [tmp_path / 'here', tmp_path / 'there']
    for folder in folders:
        folder.mkdir()
    here, there = (stage_keys(_write_inputs(folder), STAGES) for folder in folders)
    assert all(here[name] != there[name] for name in 'abc')


def test_a_missing_input_is_named(tmp_path: Path) -> None:
    project = _write_inputs(tmp_path)
    (tmp_path / 'c.txt').unlink()
    with pytest.raises(SetupError, match=r'c\.txt is missing'):
        stage_keys(project, STAGES)


def test_half_installed_packages_are_forgotten(project: Project) -> None:
    site = project.venv / 'lib' / 'python3.11' / 'site-packages'
    whole, half = site / 'whole-1.dist-info', site / 'half-1.dist-info'
    for folder in (whole, half, site / '~orch', project.temporary / 'pip-unpack-x'):
        folder.mkdir(parents=True)
        (folder / 'METADATA').touch()
    (whole / 'INSTALLER').write_text('pip')
    (site / '~file').touch()
    clear_remains(project)
    assert [path.name for path in site.iterdir()] == ['whole-1.dist-info']
    assert list(project.temporary.iterdir()) == []


def test_an_environment_of_somebody_else_is_left_alone(tmp_path: Path) -> None:
    info = tmp_path / '.venv' / 'lib' / 'python3.11' / 'site-packages' / 'x.dist-info'
    info.mkdir(parents=True)
    clear_remains(Project(tmp_path))
    assert info.is_dir()


def test_child_environment(
    monkeypatch: pytest.MonkeyPatch, project: Project, tmp_path: Path
) -> None:
    for name in ('CUDA_HOME', 'CUDA_PATH', 'MAX_JOBS', 'CXXFLAGS'):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv('PYTHONPATH', '/elsewhere')
    monkeypatch.setenv('PIP_FIND_LINKS', '/wheels')
    monkeypatch.setenv('CFLAGS', '-O3')
    env = child_environment(project)
    assert 'PYTHONPATH' not in env
    assert env['PIP_FIND_LINKS'] == '/wheels'
    assert env['CFLAGS'].split() == ['-O2', '-O3', '-g0']
    assert env['CXXFLAGS'].split() == ['-O2', '-g0']
    assert int(env['MAX_JOBS']) >= 1
    assert Path(env['TMPDIR']) == project.temporary


def test_settings_of_the_user_win(
    monkeypatch: pytest.MonkeyPatch, project: Project
) -> None:
    monkeypatch.setenv('MAX_JOBS', '1')
    monkeypatch.setenv('CUDA_HOME', '/cuda')
    monkeypatch.setenv('CUDA_VISIBLE_DEVICES', '3')
    env = child_environment(project)
    assert (env['MAX_JOBS'], env['CUDA_VISIBLE_DEVICES']) == ('1', '3')
