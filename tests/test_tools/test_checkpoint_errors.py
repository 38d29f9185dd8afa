"""Checkpoints that cannot be used: one line that says why, and exit code 2."""

import os
import pickle
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from .tiny_coco import ANN, SMALL, SPIKING

Fail = Callable[..., str]


@pytest.fixture(autouse=True)
def in_coco_dir(coco_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(coco_dir)


@pytest.fixture
def bad_checkpoints(tmp_path: Path) -> Path:
    """A folder of files that are no checkpoint of these models."""
    torch.save({'state_dict': {'a.weight': torch.ones(2)}}, tmp_path / 'other.pth')
    torch.save({'a.weight': torch.ones(2)}, tmp_path / 'bare.pth')
    torch.save({'epoch': 1}, tmp_path / 'empty.pth')
    torch.save([torch.ones(1)], tmp_path / 'list.pth')
    torch.save({'state_dict': {}, 'run': _Touch()}, tmp_path / 'unsafe.pth')
    (tmp_path / 'text.pth').write_text('hello')
    (tmp_path / 'nothing.pth').touch()
    (tmp_path / 'numbers.pth').write_bytes(pickle.dumps([1, 2]))
    return tmp_path


class _Touch:
    """Pickles to a call of a function: what safe loading is there to refuse."""

    def __reduce__(self) -> tuple[Callable[[str], int], tuple[str]]:
        return os.system, ('touch ran_from_a_checkpoint',)


@pytest.mark.parametrize(
    ('name', 'problem'),
    [
        ('none.pth', "checkpoint '{}' does not exist"),
        ('', "checkpoint '{}' is not a file"),
        ('text.pth', "'{}' is not a checkpoint that torch can load ("),
        ('nothing.pth', "'{}' is not a checkpoint that torch can load (EOFError"),
        ('numbers.pth', "'{}' is not a checkpoint that torch can load ("),
        ('empty.pth', "checkpoint '{}' holds no weights"),
        ('list.pth', "checkpoint '{}' holds no weights"),
        ('unsafe.pth', "checkpoint '{}' holds posix.system, but only tensors, arr"),
        ('other.pth', "checkpoint '{}' fits no parameter of the model: it has a.wei"),
        ('bare.pth', "checkpoint '{}' fits no parameter of the model: it has a.wei"),
    ],
)
def test_bad_checkpoint(
    fail_tool: Fail, bad_checkpoints: Path, name: str, problem: str
) -> None:
    path = bad_checkpoints / name
    options = ['--work-dir', bad_checkpoints, '--cfg-options', *SMALL]
    line = fail_tool('test.py', ANN, path, *options)
    assert line.startswith(problem.format(path))
    assert not Path('ran_from_a_checkpoint').exists()


def test_train_from_a_missing_checkpoint(fail_tool: Fail) -> None:
    line = fail_tool('train.py', ANN, '--cfg-options', 'load_from=none.pth')
    assert line == "checkpoint 'none.pth' does not exist"


def test_resume_from_a_missing_checkpoint(fail_tool: Fail) -> None:
    line = fail_tool('train.py', ANN, '--resume', 'none.pth')
    assert line == "checkpoint 'none.pth' does not exist"


def test_resume_needs_more_than_weights(fail_tool: Fail, bad_checkpoints: Path) -> None:
    path = bad_checkpoints / 'other.pth'
    assert fail_tool('train.py', ANN, '--resume', path) == (
        f"cannot resume from '{path}': it holds no meta, message_hub, optimizer, "
        'param_schedulers; to start from its weights use --cfg-options '
        f'load_from={path}'
    )


def test_auto_resume_from_a_checkpoint_that_was_removed(
    fail_tool: Fail, tmp_path: Path
) -> None:
    gone = tmp_path / 'epoch_3.pth'
    (tmp_path / 'last_checkpoint').write_text(str(gone))
    line = fail_tool('train.py', ANN, '--work-dir', tmp_path, '--resume')
    assert line.endswith(f"checkpoint '{gone}' does not exist")


def test_missing_pretrained_backbone(fail_tool: Fail, tmp_path: Path) -> None:
    config = tmp_path / 'pretrained.py'
    config.write_text(
        f"_base_ = '{SPIKING}'\n"
        'model = dict(backbone=dict('
        "init_cfg=dict(type='Pretrained', checkpoint='none.pth')))\n"
    )
    assert fail_tool('train.py', config) == (
        "model.backbone.init_cfg.checkpoint: 'none.pth' does not exist "
        f'(looked in {Path.cwd()})'
    )
