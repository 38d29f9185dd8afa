"""Errors while a tool runs, and in a process of its own."""

import os
from pathlib import Path

import pytest

from mmsnn.utils.errors import UserError

from .tiny_coco import ATTENTIVE, SPIKING, Call, run_tool

Captured = pytest.CaptureFixture[str]
Patch = pytest.MonkeyPatch


def test_traceback_on_request(
    call_tool: Call, monkeypatch: Patch, capfd: Captured
) -> None:
    monkeypatch.setenv('MMSNN_TRACEBACK', '1')
    with pytest.raises(SystemExit):
        call_tool('train.py', 'none.py')
    lines = capfd.readouterr().err.splitlines()
    assert 'Traceback (most recent call last):' in lines
    assert lines[-1].startswith("error: config 'none.py' does not exist")


@pytest.mark.parametrize(
    ('error', 'code', 'line'),
    [
        (UserError('layer1 has NaN'), 2, 'error: layer1 has NaN'),
        (OSError(28, 'No space left on device', 'a.pth'), 2, "error: 'a.pth': No"),
        (RuntimeError("can't allocate memory"), 2, 'error: out of memory'),
        (KeyboardInterrupt(), 130, None),
        (ZeroDivisionError('a bug'), None, None),
    ],
)
def test_a_training_that_fails(
    call_tool: Call,
    tmp_path: Path,
    monkeypatch: Patch,
    capfd: Captured,
    error: BaseException,
    code: int | None,
    line: str | None,
) -> None:
    """A bug keeps its traceback, all else is a line or none."""

    def fail(*args: object, **options: object) -> None:
        raise error

    monkeypatch.setattr('mmengine.model.BaseModel.train_step', fail)
    with pytest.raises(SystemExit if code else type(error)) as stop:
        call_tool(
            *('train.py', ATTENTIVE, '--work-dir', tmp_path, '--cfg-options'),
            *('model.backbone.base_channels=8', 'model.neck.0.in_channels=[64]'),
            *('model.head.in_channels=64', 'train_dataloader.dataset.indices=8'),
        )
    if code is None:
        assert stop.value is error
        return
    assert stop.value.code == code
    printed = capfd.readouterr().err.splitlines()
    assert not any('Traceback' in text for text in printed)
    errors = [text for text in printed if text.startswith('error')]
    assert len(errors) == (line is not None)
    assert all(text.startswith(line) for text in errors)


def test_stderr_is_that_line_alone(tmp_path: Path) -> None:
    result = run_tool('train.py', SPIKING, cwd=tmp_path)
    assert result.returncode == 2
    assert result.stdout == ''
    assert result.stderr == (
        "error: train_dataloader.dataset.data_root: 'data/coco/' does not exist "
        f'(looked in {tmp_path})\n'
    )


@pytest.mark.slow
def test_of_two_processes_one_speaks(tmp_path: Path) -> None:
    result = run_tool(
        *('dist_train.sh', SPIKING, 2),
        cwd=tmp_path,
        PORT=str(34000 + os.getpid() % 7000),
    )
    assert result.returncode != 0
    errors = [line for line in result.stderr.splitlines() if line[:6] == 'error:']
    assert len(errors) == 1
    assert "data_root: 'data/coco/' does not exist" in errors[0]
