"""The stages of the set-up: what each needs, installs and leaves behind."""

from __future__ import annotations

import shutil
import subprocess
import sys

from .checks import SetupError, check_disk, has_cuda_toolkit, missing_for_compiling
from .project import Project, Stage, base_python
from .runner import Runner

LOCK = 'requirements/lock.txt'
VERIFY = 'tools/env_setup/verify.py'


def _pip(project: Project, *arguments: str) -> list[str]:
    return [str(project.python), '-m', 'pip', *arguments]


def _install(project: Project, runner: Runner, what: str, *arguments: str) -> None:
    """Install with the lock file as constraint and without build isolation."""
    runner.run(
        _pip(project, 'install', '--no-build-isolation', '-c', LOCK, *arguments),
        failure=f'installing {what} failed',
        cwd=project.root,
    )


def make_venv(project: Project, runner: Runner) -> None:
    """Make `.venv` anew.

    Raises:
        SetupError: The one there isn't ours, or this Python can't make one.
    """
    if project.venv.is_symlink() or (
        project.venv.exists() and not project.stamps.is_dir()
    ):
        raise SetupError(
            f'{project.venv} exists and was not made by this set-up: '
            'move it away or delete it'
        )
    if project.venv.exists():
        for entry in project.venv.iterdir():
            if entry.is_symlink() or not entry.is_dir():
                entry.unlink()
            elif entry != project.stamps:
                shutil.rmtree(entry)
    project.stamps.mkdir(parents=True, exist_ok=True)
    project.temporary.mkdir(exist_ok=True)
    python = base_python()
    probe = subprocess.run(
        [python, '-c', 'import ensurepip, venv'], capture_output=True
    )
    if probe.returncode:
        version = f'{sys.version_info[0]}.{sys.version_info[1]}'
        raise SetupError(
            f'{python} lacks the modules venv and ensurepip: install them '
            f'(Debian, Ubuntu: apt install python{version}-venv)'
        )
    runner.run(
        [python, '-m', 'venv', project.venv],
        failure=f'{python} could not make a virtual environment',
        cwd=project.root,
    )


def check_mmcv_possible(project: Project, runner: Runner) -> None:
    """Check that MMCV can be compiled here or that pip finds it compiled.

    Raises:
        SetupError: Neither is so.
    """
    lacking = missing_for_compiling()
    if lacking is None:
        return
    where = ('--no-deps', '--only-binary=:all:', '-d', str(project.temporary))
    probe = subprocess.run(
        _pip(project, 'download', *where, '-c', LOCK, '-r', 'requirements/mmcv.txt'),
        cwd=project.root,
        env=runner.env,
        stdin=subprocess.DEVNULL,
        capture_output=True,
    )
    if probe.returncode:
        raise SetupError(lacking)


def install_torch(project: Project, runner: Runner) -> None:
    """Install PyTorch and what compiling against it needs.

    Whether the machine can have the rest is checked first: this is the big
    download.
    """
    check_disk(project.root, project.venv)
    check_mmcv_possible(project, runner)
    _install(project, runner, 'PyTorch', '-r', 'requirements/build.txt')


def install_opencv(project: Project, runner: Runner) -> None:
    """Install OpenCV so that it imports without a screen's libraries.

    Dependencies ask for `opencv-python` and for `opencv-python-headless`, which
    hold the same files; the last one installed wins. The former needs libGL.
    """
    _install(project, runner, 'OpenCV', '-r', 'requirements/opencv.txt')
    headless = ('--force-reinstall', '--no-deps', 'opencv-python-headless')
    _install(project, runner, 'OpenCV', *headless)


def _mmcv_imports(project: Project, runner: Runner) -> bool:
    command = [str(project.python), '-c', 'import mmcv.ops']
    return not subprocess.run(command, env=runner.env, capture_output=True).returncode


def install_mmcv(project: Project, runner: Runner) -> None:
    """Install MMCV with its operators, compiled here where no wheel is found.

    A wheel from a cache may have been compiled against another PyTorch. Its
    operators don't import then, and MMCV is compiled anew.
    """
    check_mmcv_possible(project, runner)
    if shutil.which('nvidia-smi') and not has_cuda_toolkit():
        print(
            '    There is a GPU but no CUDA compiler (nvcc): MMCV will run on the CPU '
            'only. To detect on the GPU, install the CUDA toolkit, then '
            'make clean-env env',
            flush=True,
        )
    mmcv = ('-v', '-r', 'requirements/mmcv.txt')
    _install(project, runner, 'MMCV', *mmcv)
    if _mmcv_imports(project, runner):
        return
    print('    The MMCV found does not fit this PyTorch: compiling it', flush=True)
    lacking = missing_for_compiling()
    if lacking:
        raise SetupError(lacking)
    fresh = ('--no-cache-dir', '--force-reinstall', '--no-deps')
    _install(project, runner, 'MMCV', *fresh, '--no-binary=onedl-mmcv', *mmcv)


def install_rest(project: Project, runner: Runner) -> None:
    """Install the rest of the stack and the tools for tests and checks."""
    names = ('openmmlab', 'runtime', 'demo', 'tests', 'lint')
    files = [word for name in names for word in ('-r', f'requirements/{name}.txt')]
    _install(project, runner, 'the rest of the stack', *files)


def install_project(project: Project, runner: Runner) -> None:
    """Install `mmsnn` itself, editable, and check that the whole works."""
    _install(project, runner, 'mmsnn', '--no-deps', '-e', '.')
    runner.run(
        [project.python, VERIFY],
        failure='the environment does not work although everything was installed',
        cwd=project.root,
    )


STAGES = (
    Stage('venv', 'a virtual environment in .venv (10 s)', (), make_venv),
    Stage(
        'torch',
        'PyTorch (4 GB to download, 2 to 20 minutes)',
        (LOCK, 'requirements/build.txt'),
        install_torch,
    ),
    Stage('opencv', 'OpenCV (1 minute)', ('requirements/opencv.txt',), install_opencv),
    Stage(
        'mmcv',
        'MMCV (1 minute if pip finds it compiled, else 5 to 20 to compile it)',
        ('requirements/mmcv.txt',),
        install_mmcv,
    ),
    Stage(
        'rest',
        'MMDetection, SpikingJelly and tools (1 to 5 minutes)',
        tuple(
            f'requirements/{name}.txt'
            for name in ('openmmlab', 'runtime', 'demo', 'tests', 'lint')
        ),
        install_rest,
    ),
    Stage(
        'project',
        'mmsnn itself and a check of the whole (1 minute)',
        ('setup.py', 'mmsnn/version.py', VERIFY),
        install_project,
    ),
)
