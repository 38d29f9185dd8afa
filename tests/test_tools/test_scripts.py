"""The shell scripts: usage, and the commands that they run."""

import os
import shlex
from pathlib import Path

import pytest

from .tiny_coco import TOOLS, run_tool


@pytest.fixture
def fake_commands(tmp_path: Path) -> Path:
    """A folder with an ``srun`` and a ``python`` that print their arguments."""
    folder = tmp_path / 'bin'
    folder.mkdir()
    for name in ('srun', 'python'):
        script = folder / name
        script.write_text('#!/usr/bin/env bash\nprintf "%s\\n" "$@"\n')
        script.chmod(0o755)
    return folder


@pytest.mark.parametrize(
    ('script', 'args'),
    [
        ('dist_train.sh', ['config.py']),
        ('dist_train.sh', ['config.py', 'two']),
        ('dist_train.sh', ['config.py', '0']),
        ('dist_test.sh', ['config.py', 'x.pth']),
        ('dist_test.sh', ['config.py', 'x.pth', '--tta']),
        ('slurm_train.sh', ['partition', 'job', 'config.py']),
        ('slurm_test.sh', ['partition', 'job', 'config.py']),
    ],
)
def test_usage(script: str, args: list[str], tmp_path: Path) -> None:
    result = run_tool(script, *args, cwd=tmp_path)
    assert result.returncode == 2
    assert result.stderr.startswith(f'usage: {TOOLS / script} ')
    assert len(result.stderr.splitlines()) == 1


LAUNCH = '{T}/_launch.py --nnodes=1 --node-rank=0 --master-addr=127.0.0.1 '


@pytest.mark.parametrize(
    ('given', 'variables', 'expected'),
    [
        (
            'dist_train.sh config.py 3 --cfg-options \'a="[1, 2]"\'',
            'NNODES=2 NODE_RANK=1 MASTER_ADDR=10.0.0.1 PORT=1234',
            '{T}/_launch.py --nnodes=2 --node-rank=1 --master-addr=10.0.0.1 '
            '--master-port=1234 --nproc-per-node=3 {T}/train.py config.py '
            '--launcher pytorch --cfg-options \'a="[1, 2]"\'',
        ),
        (
            'dist_test.sh config.py x.pth 2',
            '',
            LAUNCH + '--master-port=29500 --nproc-per-node=2 {T}/test.py config.py '
            'x.pth --launcher pytorch',
        ),
        (
            "slurm_train.sh gpu job config.py 'my runs' --amp",
            "GPUS=16 'SRUN_ARGS=--time=1 --mem=2'",
            '--partition=gpu --job-name=job --gres=gpu:8 --ntasks=16 '
            '--ntasks-per-node=8 --cpus-per-task=5 --kill-on-bad-exit=1 --time=1 '
            "--mem=2 python -u {T}/train.py config.py --work-dir 'my runs' "
            '--launcher slurm --amp',
        ),
        (
            'slurm_test.sh gpu job config.py x.pth --tta',
            'GPUS=2 CPUS_PER_TASK=1',
            '--partition=gpu --job-name=job --gres=gpu:2 --ntasks=2 '
            '--ntasks-per-node=2 --cpus-per-task=1 --kill-on-bad-exit=1 python -u '
            '{T}/test.py config.py x.pth --launcher slurm --tta',
        ),
    ],
)
def test_command(
    fake_commands: Path, given: str, variables: str, expected: str
) -> None:
    result = run_tool(
        *shlex.split(given),
        cwd=fake_commands,
        PATH=f'{fake_commands}:{os.environ["PATH"]}',
        **{'PYTHON': 'python'},
        **dict(each.split('=', 1) for each in shlex.split(variables)),
    )
    assert result.returncode == 0, result.stderr
    assert result.stdout.splitlines() == shlex.split(expected.format(T=TOOLS))
