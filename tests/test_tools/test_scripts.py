"""The shell scripts: usage, and the commands that they run."""

import os
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


def command(script: str, *args: str, fake: Path, **variables: str) -> list[str]:
    result = run_tool(
        script,
        *args,
        cwd=fake,
        PATH=f'{fake}:{os.environ["PATH"]}',
        **{'PYTHON': 'python', **variables},
    )
    assert result.returncode == 0, result.stderr
    return result.stdout.splitlines()


def test_dist_train_command(fake_commands: Path) -> None:
    assert command(
        *('dist_train.sh', 'config.py', '3', '--cfg-options', 'a="[1, 2]"'),
        fake=fake_commands,
        NNODES='2',
        NODE_RANK='1',
        MASTER_ADDR='10.0.0.1',
        PORT='1234',
    ) == [
        *(str(TOOLS / '_launch.py'), '--nnodes=2', '--node-rank=1'),
        *('--master-addr=10.0.0.1', '--master-port=1234', '--nproc-per-node=3'),
        *(str(TOOLS / 'train.py'), 'config.py', '--launcher', 'pytorch'),
        *('--cfg-options', 'a="[1, 2]"'),
    ]


def test_dist_test_command(fake_commands: Path) -> None:
    assert command('dist_test.sh', 'config.py', 'x.pth', '2', fake=fake_commands) == [
        *(str(TOOLS / '_launch.py'), '--nnodes=1', '--node-rank=0'),
        *('--master-addr=127.0.0.1', '--master-port=29500', '--nproc-per-node=2'),
        *(str(TOOLS / 'test.py'), 'config.py', 'x.pth', '--launcher', 'pytorch'),
    ]


def test_slurm_train_command(fake_commands: Path) -> None:
    assert command(
        *('slurm_train.sh', 'gpu', 'job', 'config.py', 'my runs', '--amp'),
        fake=fake_commands,
        GPUS='16',
        SRUN_ARGS='--time=1 --mem=2',
    ) == [
        *('--partition=gpu', '--job-name=job', '--gres=gpu:8', '--ntasks=16'),
        *('--ntasks-per-node=8', '--cpus-per-task=5', '--kill-on-bad-exit=1'),
        *('--time=1', '--mem=2', 'python', '-u', str(TOOLS / 'train.py')),
        *('config.py', '--work-dir', 'my runs', '--launcher', 'slurm', '--amp'),
    ]


def test_slurm_test_command(fake_commands: Path) -> None:
    assert command(
        *('slurm_test.sh', 'gpu', 'job', 'config.py', 'x.pth', '--tta'),
        fake=fake_commands,
        GPUS='2',
        CPUS_PER_TASK='1',
    ) == [
        *('--partition=gpu', '--job-name=job', '--gres=gpu:2', '--ntasks=2'),
        *('--ntasks-per-node=2', '--cpus-per-task=1', '--kill-on-bad-exit=1'),
        *('python', '-u', str(TOOLS / 'test.py'), 'config.py', 'x.pth'),
        *('--launcher', 'slurm', '--tta'),
    ]
