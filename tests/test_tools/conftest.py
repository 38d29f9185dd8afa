"""Fixtures of the tools' tests."""

import runpy
import shlex
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from mmengine_instances import separate_run

from mmsnn.cli.main import main

from .mistaken_files import write_configs, write_files
from .tiny_coco import (
    ANN,
    ATTENTIVE,
    CONFIGS,
    DETECTOR,
    ROOT,
    SMALL,
    SPIKING,
    TOOLS,
    Call,
    Fail,
    Printed,
    write_coco,
)

# Nobody can write in this file system, not even root.
NOWHERE = '/proc/self/mmsnn'
PATHS = {
    path.stem: path
    for folder in (ROOT / 'benchmarks', TOOLS)
    for path in folder.rglob('*.py')
    if 'docs_tools' not in path.parts
}


@pytest.fixture(scope='session')
def coco_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with ``data/coco``, for the tools to be run in."""
    folder = tmp_path_factory.mktemp('coco')
    write_coco(folder / 'data' / 'coco')
    return folder


@pytest.fixture
def in_coco(coco_dir: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder with ``data/coco``, which is the current one."""
    monkeypatch.chdir(coco_dir)
    return coco_dir


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder, which is the current one."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def call_tool(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> Call:
    """Run a tool in this process, which spares it the imports; return what it prints.

    A tool is named by its path in ``tools``, by its name alone, or as a command of
    ``mmsnn``.
    """
    # What the tools set in the environment ends with the test.
    monkeypatch.setenv('LOCAL_RANK', '0')

    def call(name: str, *args: Any) -> Printed:
        path = PATHS.get(name, TOOLS / name)
        capfd.readouterr()
        words = [name] if path.exists() else ['mmsnn', name]
        monkeypatch.setattr(sys, 'argv', [*words, *map(str, args)])
        # the tool's own folder is on the path, as when it is run
        monkeypatch.setattr(sys, 'path', [str(path.parent), *sys.path])
        with separate_run():
            if path.exists():
                runpy.run_path(str(path), run_name='__main__')
            else:
                main()
        return Printed(*capfd.readouterr())

    return call


@pytest.fixture
def fail_tool(call_tool: Call, capfd: pytest.CaptureFixture[str]) -> Fail:
    """Run a tool in this process, where it must fail; return its one line."""

    def fail(name: str, *args: Any) -> str:
        with pytest.raises(SystemExit) as stop:
            call_tool(name, *args)
        lines = capfd.readouterr().err.strip().splitlines()
        assert stop.value.code == 2
        assert not any('Traceback' in line for line in lines)
        errors = [line for line in lines if line.startswith('error: ')]
        assert len(errors) == 1, lines
        assert lines[-1] == errors[0]
        return errors[0].removeprefix('error: ')

    return fail


@pytest.fixture(scope='session')
def names(coco_dir: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What the command lines of mistakes name: configs, and files of no use."""
    place, bad = map(tmp_path_factory.mktemp, ('place', 'bad'))
    (place / 'data').symlink_to(coco_dir / 'data')
    write_files(bad)
    return dict(
        **write_configs(bad),
        **dict(bad=bad, cwd=place, NOWHERE=NOWHERE, TOOLS=TOOLS, CONFIGS=CONFIGS),
        **dict(ANN=ANN, SPIKING=SPIKING, DETECTOR=DETECTOR, ATTENTIVE=ATTENTIVE),
        BASES=CONFIGS / '_base_',
        FASHION=CONFIGS / 'fashion_mnist' / 'sg-r10-asd_1xb64-8e_fashion-mnist.py',
        SMALL=' '.join(SMALL),
        T='train_dataloader.dataset',
        V='val_dataloader.dataset',
    )


@pytest.fixture
def refuse(
    names: dict[str, Any], fail_tool: Fail, monkeypatch: pytest.MonkeyPatch
) -> Callable[[str], None]:
    """Run a command line with a mistake, ``COMMAND | what its line says``.

    What lies between the parts of the line is at the dots.
    """
    monkeypatch.chdir(names['cwd'])
    for variable in ('RANK', 'SLURM_PROCID', 'OMPI_COMM_WORLD_RANK'):
        monkeypatch.delenv(variable, raising=False)

    def run(row: str) -> None:
        command, expected = (part.format(**names) for part in row.split(' | '))
        before = sorted(Path().iterdir())
        line = fail_tool(*shlex.split(command))
        assert not [part for part in expected.split(' ... ') if part not in line], line
        left = {path.name for path in {*Path().iterdir()} - {*before}}
        assert left <= {'work_dirs'}
        assert not Path('data/digits_detection').exists()

    return run
