"""The tests marked ``gpu`` of this folder, on a CPU by Triton's interpreter."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
import triton

pytestmark = pytest.mark.skipif(
    triton.knobs.runtime.interpret, reason='these are the tests that are run'
)

FOLDER = Path(__file__).parent
ROOT = FOLDER.parents[2]


def run_interpreted(selection: str) -> None:
    # in a process of its own: Triton asks for the variable when it is imported
    path = os.pathsep.join((str(ROOT), os.environ.get('PYTHONPATH', '')))
    variables = {'TRITON_INTERPRET': '1', 'MMSNN_KERNELS': '0', 'PYTHONPATH': path}
    command = [sys.executable, '-m', 'pytest', '-q', '-W', 'ignore', '-m', selection]
    # nothing above is imported: not even MMEngine is needed
    command += ['-p', 'no:cacheprovider', f'--confcutdir={FOLDER}', str(FOLDER)]
    done = subprocess.run(
        command,
        cwd=ROOT,
        env=os.environ | variables,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_kernels_equal_the_reference() -> None:
    run_interpreted('gpu and not slow')


@pytest.mark.slow
def test_all_kernels_equal_the_reference() -> None:
    run_interpreted('gpu and slow')
