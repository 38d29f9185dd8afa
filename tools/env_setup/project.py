"""Where a set-up lives, what marks a stage as done, and its environment."""

from __future__ import annotations

import hashlib
import os
import shutil
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from .checks import SetupError, has_cuda_toolkit
from .runner import Runner

MARKER = '.mmsnn-setup'


@dataclass(frozen=True)
class Project:
    """The folders of one set-up.

    Attributes:
        root: The project's folder.
    """

    root: Path

    @property
    def venv(self) -> Path:
        """The virtual environment."""
        return self.root / '.venv'

    @property
    def python(self) -> Path:
        """The virtual environment's interpreter."""
        return self.venv / 'bin' / 'python'

    @property
    def temporary(self) -> Path:
        """The folder of temporary files, emptied at each set-up."""
        return self.stamps / 'tmp'

    @property
    def stamps(self) -> Path:
        """The folder of the finished stages' stamps; marks `.venv` as ours."""
        return self.venv / MARKER


@dataclass(frozen=True)
class Stage:
    """A step that is done once and again only when its inputs change.

    Attributes:
        name: The stamp's file name.
        title: What is going on and about how long it takes.
        inputs: Files of the project that the result depends on.
        run: Does the step.
    """

    name: str
    title: str
    inputs: tuple[str, ...]
    run: Callable[[Project, Runner], None]


def base_python() -> str:
    """Return the interpreter to make environments with.

    Inside an environment that is the one it was made from, so that `.venv` can
    be made anew by its own interpreter.
    """
    return getattr(sys, '_base_executable', None) or sys.executable


def stage_keys(project: Project, stages: tuple[Stage, ...]) -> dict[str, str]:
    """Return what each stage's stamp must say for the stage to be done.

    A key covers the Python version, the project's place (scripts and the
    editable install hold it), the stage's inputs and the stages before.

    Raises:
        SetupError: An input is missing.
    """
    digest = hashlib.sha256(f'{sys.version_info[:2]} {project.root}'.encode())
    keys = {}
    for stage in stages:
        digest.update(stage.name.encode())
        for name in stage.inputs:
            try:
                digest.update((project.root / name).read_bytes())
            except FileNotFoundError:
                raise SetupError(
                    f'{name} is missing in {project.root}: restore it (git checkout)'
                ) from None
        keys[stage.name] = digest.hexdigest()
    return keys


def clear_remains(project: Project) -> None:
    """Remove what a killed set-up left: temporary files, half of a package.

    pip writes a distribution's INSTALLER file after all of its other files, but
    takes a distribution for installed as soon as its metadata are there.
    """
    if not project.stamps.is_dir():
        return
    shutil.rmtree(project.temporary, ignore_errors=True)
    project.temporary.mkdir()
    for site in project.venv.glob('lib/python*/site-packages'):
        for info in site.glob('*.dist-info'):
            if not (info / 'INSTALLER').is_file():
                shutil.rmtree(info)
        for leftover in site.glob('~*'):
            if leftover.is_dir():
                shutil.rmtree(leftover)
            else:
                leftover.unlink()


def child_environment(project: Project) -> dict[str, str]:
    """Return the environment for the set-up's commands.

    pip's own settings stay in force; variables that would put foreign packages in
    sight of `.venv`, or install elsewhere, do not. Temporary files stay in `.venv`:
    a killed pip leaves gigabytes of them, and `/tmp` is often too small.
    """
    env = {
        name: value
        for name, value in os.environ.items()
        if name not in ('PYTHONPATH', 'PYTHONHOME', 'PIP_TARGET', 'PIP_PREFIX')
    }
    env |= {'PIP_USER': '0', 'PIP_NO_INPUT': '1', 'PIP_DISABLE_PIP_VERSION_CHECK': '1'}
    # These replace the flags that Python was compiled with, -O included. Debug
    # information would triple the compile time and make MMCV 16 x as big.
    for name in ('CFLAGS', 'CXXFLAGS'):
        env[name] = ' '.join(('-O2', env.get(name, ''), '-g0'))
    # MMCV alone would start four compilers even on a machine with one core.
    env.setdefault('MAX_JOBS', str(len(os.sched_getaffinity(0))))
    env['TMPDIR'] = str(project.temporary)
    if not has_cuda_toolkit():
        # With a GPU in sight and no CUDA compiler, MMCV's build gives up.
        env['CUDA_VISIBLE_DEVICES'] = ''
    return env
