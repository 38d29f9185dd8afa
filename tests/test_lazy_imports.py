"""Nothing heavy is imported before it is needed."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

HEAVY = ('torch', 'mmcv', 'mmdet', 'mmpretrain', 'spikingjelly', 'matplotlib')
ROOT = Path(__file__).resolve().parents[1]
TOOLS = sorted(
    path
    for folder in ('tools', 'benchmarks')
    for path in (ROOT / folder).rglob('*.py')
    if not path.name.startswith('_') and path.parent.name != 'docs_tools'
)

HELP = """
import contextlib, io, runpy, sys
from mmsnn.cli.main import COMMANDS, main

def check(run, *line):
    sys.argv = [*line, '--help']
    try:
        with contextlib.redirect_stdout(io.StringIO()):
            run()
    except SystemExit as end:
        assert not end.code, line
    heavy = sorted(set({heavy!r}) & set(sys.modules))
    assert not heavy, f'{{line}} imports {{heavy}}'

for tool in sys.argv[1:]:
    sys.path.insert(0, tool.rpartition('/')[0])
    check(lambda: runpy.run_path(tool, run_name='__main__'), tool)
check(main, 'mmsnn')
for command in COMMANDS:
    check(main, 'mmsnn', command)
"""


def run(code: str, *arguments: str, **environment: str) -> str:
    """Run a program in a fresh interpreter; return what it prints."""
    variables = {
        k: v for k, v in os.environ.items() if not k.startswith(('GOMP', 'OMP'))
    }
    done = subprocess.run(
        [sys.executable, '-c', code, *arguments],
        capture_output=True,
        text=True,
        env={**variables, 'PYTHONPATH': str(ROOT), **environment},
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_import_mmsnn() -> None:
    code = f'import mmsnn, sys; print(sorted(set({HEAVY!r}) & set(sys.modules)))'
    assert run(code) == '[]'


def test_help_of_every_tool_and_command() -> None:
    assert TOOLS
    run(HELP.format(heavy=HEAVY), *map(str, TOOLS))


def test_subpackages_are_attributes() -> None:
    code = 'import mmsnn; print(mmsnn.utils.describe.__name__, hasattr(mmsnn, "x"))'
    assert run(code) == 'describe False'


@pytest.mark.parametrize(
    ('given', 'expected'),
    [
        ({}, '3000 None'),
        ({'GOMP_SPINCOUNT': '7'}, '7 None'),
        ({'OMP_WAIT_POLICY': 'passive'}, 'None passive'),
    ],
)
def test_thread_policy(given: dict[str, str], expected: str) -> None:
    code = (
        'import os, mmsnn\n'
        "print(*map(os.environ.get, ('GOMP_SPINCOUNT', 'OMP_WAIT_POLICY')))"
    )
    assert run(code, **given) == expected


@pytest.mark.parametrize(
    'code',
    [
        'from mmsnn.models import MSResNet as M; x = M(10)(torch.ones(1, 3, 9, 9))[0]',
        'from mmsnn import ops; x = ops.gate(torch.ones(1), torch.ones(1))',
    ],
)
def test_without_openmmlab(code: str) -> None:
    """Operators need torch alone, backbones MMEngine too."""
    blocked = set(HEAVY) - {'torch'}
    if 'models' not in code:
        blocked.add('mmengine')
    # an entry of None makes an import fail
    start = f'import sys; sys.modules.update(dict.fromkeys({sorted(blocked)!r}))'
    assert run(f'{start}; import torch; {code}; print(x.dim() > 0)') == 'True'
