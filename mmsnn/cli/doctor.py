"""Check the installation, or how a model can be deployed.

Without a config, checks versions, the compiler, compiled operators, the GPU, threads
and the processor, and prints advice on each problem. The exit code is 1 if mmsnn fails
or is slower than it could be.

With a config, prints which layers of its model have only spikes as input and which
multiply, and which exporters support the model.

Examples:
    mmsnn doctor
    mmsnn doctor CONFIG
"""

import argparse
import os
import platform
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass

from mmsnn._compat import (
    DEPENDENCIES,
    check_dependencies,
    find_problem,
    installed_version,
    is_installed,
)
from mmsnn.version import __version__

from .common.deployability import show_deployability
from .common.options import add_cfg_options
from .common.progress import progress

NEEDS_FRAMEWORKS = False

# Modules that only some data sets need: name of the package, and advice.
_DIGITS = 'only the bundled digits need it: pip install scikit-learn'
_RVT = "only RVT's preprocessed event recordings need it: pip install 'mmsnn[rvt]'"
_OPTIONAL = {
    'sklearn': ('scikit-learn', _DIGITS),
    'h5py': ('h5py', _RVT),
    'hdf5plugin': ('hdf5plugin', _RVT),
}


@dataclass(frozen=True)
class Finding:
    """The state of a part of the installation.

    Attributes:
        part: The part.
        found: What was found.
        advice: What to do about a problem, if there is one.
        broken: Whether mmsnn fails, or is slower than it could be, until that is done.
    """

    part: str
    found: str
    advice: str = ''
    broken: bool = False


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the config and the option that overrides its settings."""
    parser.add_argument(
        'config',
        nargs='?',
        help='path of a config, or mmsnn::FOLDER/FILE, whose model is checked; without '
        'it, the installation is checked',
    )
    add_cfg_options(parser)


def main(args: argparse.Namespace) -> None:
    """Check and print.

    Raises:
        SystemExit: With exit code 1, if something is broken.
        UserError: If the config or its model cannot be built.
    """
    if args.config is not None:
        check_dependencies()
        show_deployability(args)
        return
    from rich.console import Console

    progress('Checking the installation')
    findings = list(examine())
    # paths are not wrapped, so that they can be copied
    console = Console(highlight=False, markup=False, soft_wrap=True)
    width = max(len(finding.part) for finding in findings)
    for finding in findings:
        style = 'red' if finding.broken else 'yellow' if finding.advice else None
        console.print(f'{finding.part:{width}}  {finding.found}', style=style)
    todo = [finding for finding in findings if finding.advice]
    if todo:
        console.print('\nWhat to do:')
    for finding in todo:
        console.print(f'- {finding.part}: {finding.advice}')
    if any(finding.broken for finding in findings):
        raise SystemExit(1)


def examine() -> Iterator[Finding]:
    """Yield a finding for each part."""
    yield Finding('mmsnn', __version__)
    yield _examine_python()
    yield from _examine_packages()
    for part, examine_part in (
        ('compiler', _examine_compiler),
        ('operators', _examine_operators),
        ('gpu', _examine_gpu),
        ('threads', _examine_threads),
        ('processor', _examine_processor),
    ):
        try:
            yield examine_part()
        except ImportError as error:
            # missing packages are reported in their own lines
            yield Finding(part, f'unknown: {error}')


def _examine_python() -> Finding:
    found = f'{platform.python_version()} ({sys.executable})'
    if (3, 11) <= sys.version_info < (3, 14):
        return Finding('python', found)
    return Finding('python', found, 'use Python 3.11 to 3.13', broken=True)


def _examine_packages() -> Iterator[Finding]:
    for dependency in DEPENDENCIES:
        problem = find_problem(dependency)
        if problem:
            yield Finding(dependency.module, 'not usable', problem, broken=True)
        elif not is_installed(dependency.module):
            advice = f'only classification needs it: {dependency.install}'
            yield Finding(dependency.module, 'not installed', advice)
        else:
            yield Finding(dependency.module, str(installed_version(dependency)))
    for module, (name, advice) in _OPTIONAL.items():
        if not is_installed(module):
            yield Finding(name, 'not installed', advice)


def _examine_compiler() -> Finding:
    from mmsnn.ops.build import CompilerError, find_compiler

    try:
        path = find_compiler()
        done = subprocess.run([path, '--version'], capture_output=True, text=True)
    except (CompilerError, OSError) as error:
        advice = 'install one (Debian, Ubuntu: apt install g++), or set CXX to its path'
        return Finding('compiler', str(error), advice)
    version = done.stdout.partition('\n')[0]
    return Finding('compiler', f'{path} ({version})')


def _examine_operators() -> Finding:
    from mmsnn.ops.build import SWITCH, CompilerError, compiled

    if os.environ.get(SWITCH, '1') == '0':
        advice = f'networks are faster with them: unset {SWITCH}'
        return Finding('operators', f'disabled by {SWITCH}=0', advice, broken=True)
    try:
        return Finding('operators', f'compiled: {compiled()}')
    except (CompilerError, OSError, RuntimeError) as error:
        advice = (
            'networks are slower without compiled operators: install a C++ compiler '
            '(Debian, Ubuntu: apt install g++), or set CXX or MMSNN_CACHE (the folder '
            'that keeps them)'
        )
        return Finding('operators', f'not compiled: {error}', advice, broken=True)


def _examine_gpu() -> Finding:
    import torch

    if torch.cuda.is_available():
        devices = map(
            torch.cuda.get_device_properties, range(torch.cuda.device_count())
        )
        shown = [f'{d.name} ({d.total_memory / 2**30:.0f} GiB)' for d in devices]
        found = f'{", ".join(shown)}, CUDA {torch.version.cuda}'
        if is_installed('triton'):
            return Finding('gpu', found)
        advice = 'networks are faster with Triton: pip install triton'
        return Finding('gpu', f'{found}, without Triton', advice, broken=True)
    if shutil.which('nvidia-smi') is None:
        return Finding('gpu', 'none: everything runs on the CPU')
    advice = (
        'nvidia-smi was found, but PyTorch sees no GPU: install a build of PyTorch for '
        'its driver (https://pytorch.org/get-started), and check CUDA_VISIBLE_DEVICES'
    )
    found = f'none that PyTorch sees (built for CUDA {torch.version.cuda})'
    return Finding('gpu', found, advice, broken=True)


def _examine_threads() -> Finding:
    import torch

    cores = len(os.sched_getaffinity(0))
    threads = torch.get_num_threads()
    settings = ('OMP_NUM_THREADS', 'GOMP_SPINCOUNT', 'OMP_WAIT_POLICY')
    shown = [f'{name}={os.environ[name]}' for name in settings if name in os.environ]
    found = f'PyTorch uses {threads} on {cores} cores; {", ".join(shown)}'
    if threads <= cores:
        return Finding('threads', found)
    advice = (
        f'more threads than cores slow each other down: set OMP_NUM_THREADS={cores}'
    )
    return Finding('threads', found, advice, broken=True)


def _examine_processor() -> Finding:
    from mmsnn.utils.cpu import has_accelerator, multiplies_bf16

    if has_accelerator():
        return Finding('processor', 'not checked: the GPU computes in bf16')
    if multiplies_bf16():
        return Finding('processor', 'has instructions for bf16')
    found = 'has no instructions for bf16: --bf16 uses fp32, which is then faster'
    return Finding('processor', found)
