"""Commands keep the memory that they free."""

import os
import subprocess
import sys

import pytest

pytestmark = pytest.mark.skipif(
    sys.platform != 'linux' or not os.confstr('CS_GNU_LIBC_VERSION'), reason='no glibc'
)

FAULTS = """
import resource
from mmsnn.cli.common.exit_codes import run

def allocate():
    for _ in range(8):
        blocks = [b'x' * 2**24 for _ in range(8)]
        del blocks

def count():
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt

def command():
    allocate()
    before = count()
    allocate()
    print(count() - before)

run(command)
"""
PAGES = 8 * 8 * 2**24 // os.sysconf('SC_PAGE_SIZE')


def page_faults(**environment: str) -> int:
    inherited = {k: v for k, v in os.environ.items() if not k.startswith('MALLOC_')}
    done = subprocess.run(
        [sys.executable, '-c', FAULTS],
        capture_output=True,
        text=True,
        check=True,
        env={**inherited, **environment},
    )
    return int(done.stdout)


def test_freed_memory_is_kept() -> None:
    assert page_faults() < PAGES // 100


@pytest.mark.parametrize(
    ('name', 'value'),
    [
        ('MALLOC_TRIM_THRESHOLD_', '131072'),
        pytest.param(
            'GLIBC_TUNABLES',
            'glibc.malloc.trim_threshold=131072',
            marks=pytest.mark.slow,
        ),
    ],
)
def test_settings_of_the_user_win(name: str, value: str) -> None:
    assert page_faults(**{name: value}) > PAGES // 2
