"""What the user did wrong is one line that says so, and exit code 2."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from mmsnn.utils.errors import UserError

from .tiny_coco import ANN, CONFIGS, SMALL, SPIKING, run_tool

Fail = Callable[..., str]
DATASET = 'train_dataloader.dataset'


@pytest.fixture(autouse=True)
def in_coco_dir(coco_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(coco_dir)


def write(path: Path, text: str) -> Path:
    path.write_text(text)
    return path


# The config file ---------------------------------------------------------------


@pytest.mark.parametrize('tool', ['train.py', 'test.py'])
def test_missing_config(fail_tool: Fail, tool: str) -> None:
    checkpoint = ['x.pth'] if tool == 'test.py' else []
    line = fail_tool(tool, 'configs/none.py', *checkpoint)
    assert line == f"config 'configs/none.py' does not exist (looked in {Path.cwd()})"


def test_config_is_a_folder(fail_tool: Fail) -> None:
    assert fail_tool('train.py', CONFIGS) == f"config '{CONFIGS}' is not a file"


@pytest.mark.parametrize(
    ('text', 'problem'),
    [
        ('model = dict(', 'SyntaxError: '),
        ('model = nothing', "NameError: name 'nothing' is not defined"),
        ("_base_ = './missing.py'", 'missing.py'),
        ("custom_imports = dict(imports=['not_there'])", 'not_there'),
        ('import sys\nsys.exit(0)', 'SystemExit'),
        ('raise BaseException(1)', 'BaseException: 1'),
        ('raise TypeError("\'int\' object is not iterable")', "'int' object is not"),
        ("raise ValueError('\\x1b[31mred\\x1b[0m')", 'ValueError: red'),
        ('def f(): f()\nf()', 'RecursionError'),
    ],
)
def test_broken_config(
    fail_tool: Fail, tmp_path: Path, text: str, problem: str
) -> None:
    config = write(tmp_path / 'broken.py', text)
    line = fail_tool('train.py', config)
    assert line.startswith(f"config '{config}' cannot be read: ")
    assert problem in line


def test_config_that_is_its_own_base(fail_tool: Fail, tmp_path: Path) -> None:
    write(tmp_path / 'a.py', "_base_ = ['./b.py']")
    write(tmp_path / 'b.py', "_base_ = 'a.py'")
    line = fail_tool('train.py', tmp_path / 'a.py')
    assert 'is its own _base_' in line
    assert f'{tmp_path}/a.py -> {tmp_path}/b.py -> {tmp_path}/a.py' in line


def test_config_of_another_format(fail_tool: Fail, tmp_path: Path) -> None:
    config = write(tmp_path / 'config.txt', 'model = 1')
    assert "config.txt' cannot be read: OSError" in fail_tool('train.py', config)


def test_base_file_cannot_train(fail_tool: Fail) -> None:
    config = CONFIGS / '_base_/models/retinanet_r18_fpn.py'
    assert fail_tool('train.py', config) == (
        f"config '{config}' cannot be used to train: it does not define "
        'train_dataloader, train_cfg, optim_wrapper'
    )


def test_base_file_cannot_test(fail_tool: Fail) -> None:
    config = CONFIGS / '_base_/schedules/sgd-amp_72e.py'
    assert fail_tool('test.py', config, 'x.pth') == (
        f"config '{config}' cannot be used to test: it does not define "
        'model, test_dataloader, test_evaluator'
    )


# --cfg-options -----------------------------------------------------------------


@pytest.mark.parametrize(
    ('option', 'problem'),
    [
        ('lr', "--cfg-options 'lr': it must be KEY=VALUE"),
        ('=3', "--cfg-options '=3': it must be KEY=VALUE"),
        ('model..depth=3', "--cfg-options 'model..depth=3': it must be KEY=VALUE"),
        ('scale=[(1,2]', 'Imbalanced brackets'),
        ('data_root.x=1', 'data_root'),
        ('param_scheduler.7.gamma=1', 'Index 7 exceeds'),
    ],
)
def test_broken_option(fail_tool: Fail, option: str, problem: str) -> None:
    line = fail_tool('train.py', ANN, '--cfg-options', option)
    assert line.startswith('--cfg-options ')
    assert problem in line


def test_model_that_cannot_be_built(fail_tool: Fail, tmp_path: Path) -> None:
    line = fail_tool(
        *('train.py', SPIKING, '--work-dir', tmp_path),
        *('--cfg-options', *SMALL, 'model.backbone.depth=20'),
    )
    assert line.startswith(f"config '{SPIKING}' cannot be built: model: ")
    assert 'depth must be one of' in line
    assert line.endswith('(MMSNN_TRACEBACK=1 shows where)')


def test_traceback_on_request(
    call_tool: Callable[..., None],
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv('MMSNN_TRACEBACK', '1')
    with pytest.raises(SystemExit):
        call_tool('train.py', 'none.py')
    lines = capfd.readouterr().err.splitlines()
    assert 'Traceback (most recent call last):' in lines
    assert lines[-1].startswith("error: config 'none.py' does not exist")


# What fails while it runs -------------------------------------------------------


@pytest.fixture
def train(call_tool: Callable[..., None], tmp_path: Path) -> Callable[[], None]:
    config = CONFIGS / 'digits' / 'sg-r10-asd_1xb64-30e_digits.py'
    return lambda: call_tool(
        *('train.py', config, '--work-dir', tmp_path, '--cfg-options'),
        *('model.backbone.base_channels=8', 'model.neck.0.in_channels=[64]'),
        *('model.head.in_channels=64', 'train_dataloader.dataset.indices=8'),
    )


@pytest.mark.parametrize(
    ('error', 'code', 'line'),
    [
        (UserError('layer1 has NaN'), 2, 'error: layer1 has NaN'),
        (
            OSError(28, 'No space left on device', 'a.pth'),
            2,
            "error: 'a.pth': No",
        ),
        (RuntimeError("can't allocate memory"), 2, 'error: out of memory'),
        (KeyboardInterrupt(), 130, ''),
    ],
)
def test_a_training_that_fails(
    train: Callable[[], None],
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
    error: BaseException,
    code: int,
    line: str,
) -> None:
    def fail(*args: object, **options: object) -> None:
        raise error

    monkeypatch.setattr('mmengine.model.BaseModel.train_step', fail)
    with pytest.raises(SystemExit) as stop:
        train()
    assert stop.value.code == code
    printed = capfd.readouterr().err
    assert 'Traceback' not in printed
    assert [text for text in printed.splitlines() if text.startswith('error')] == (
        [text for text in printed.splitlines() if line and text.startswith(line)]
    )
    assert line in printed


def test_a_bug_keeps_its_traceback(
    train: Callable[[], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*args: object, **options: object) -> None:
        raise ZeroDivisionError('a bug')

    monkeypatch.setattr('mmengine.model.BaseModel.train_step', fail)
    with pytest.raises(ZeroDivisionError, match='a bug'):
        train()


# Data --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ('option', 'name', 'path'),
    [
        (f'{DATASET}.data_root=data/none', f'{DATASET}.data_root', 'data/none'),
        (
            f'{DATASET}.ann_file=annotations/none.json',
            f'{DATASET}.ann_file',
            'data/coco/annotations/none.json',
        ),
        (
            f'{DATASET}.data_prefix.img=none/',
            f'{DATASET}.data_prefix.img',
            'data/coco/none',
        ),
        (
            'val_dataloader.dataset.ann_file=none.json',
            'val_dataloader.dataset.ann_file',
            'data/coco/none.json',
        ),
        ('val_evaluator.ann_file=none.json', 'val_evaluator.ann_file', 'none.json'),
    ],
)
def test_missing_data(fail_tool: Fail, option: str, name: str, path: str) -> None:
    assert fail_tool('train.py', ANN, '--cfg-options', option) == (
        f"{name}: '{path}' does not exist (looked in {Path.cwd()})"
    )


def test_missing_data_root_of_the_default_config(
    fail_tool: Fail, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert fail_tool('train.py', SPIKING) == (
        "train_dataloader.dataset.data_root: 'data/coco/' does not exist "
        f'(looked in {tmp_path})'
    )


def test_test_checks_the_test_data(fail_tool: Fail) -> None:
    option = 'test_dataloader.dataset.data_root=data/none'
    line = fail_tool('test.py', ANN, 'x.pth', '--cfg-options', option)
    assert line.startswith("test_dataloader.dataset.data_root: 'data/none' does not")


# Other options -----------------------------------------------------------------


def test_auto_scale_lr_without_a_base(fail_tool: Fail) -> None:
    line = fail_tool(
        'train.py', ANN, '--auto-scale-lr', '--cfg-options', 'auto_scale_lr=None'
    )
    assert line == (
        f"--auto-scale-lr needs auto_scale_lr.base_batch_size in config '{ANN}'"
    )


def test_out_must_be_a_pickle(fail_tool: Fail) -> None:
    line = fail_tool('test.py', ANN, 'x.pth', '--out', 'result.json')
    assert line == "--out must end in .pkl or .pickle, but got 'result.json'"


def test_show_needs_the_hook(fail_tool: Fail) -> None:
    line = fail_tool(
        *('test.py', ANN, 'x.pth', '--show-dir', 'pictures'),
        *('--cfg-options', 'default_hooks.visualization=None'),
    )
    assert line.startswith('--show and --show-dir need default_hooks.visualization')


def test_tta_of_something_else_must_be_told_how(
    fail_tool: Fail, tmp_path: Path
) -> None:
    torch.save({'state_dict': {'a': torch.ones(1)}}, tmp_path / 'a.pth')
    line = fail_tool(
        *('test.py', ANN, tmp_path / 'a.pth', '--tta'),
        *('--cfg-options', 'default_scope=mmpretrain'),
    )
    assert line == f"--tta needs tta_model and tta_pipeline in config '{ANN}'"


@pytest.mark.parametrize(
    ('launcher', 'variable'),
    [('pytorch', 'RANK'), ('slurm', 'SLURM_PROCID'), ('mpi', 'OMPI_COMM_WORLD_RANK')],
)
def test_a_launcher_that_started_nothing(
    fail_tool: Fail, monkeypatch: pytest.MonkeyPatch, launcher: str, variable: str
) -> None:
    monkeypatch.delenv(variable, raising=False)
    line = fail_tool('train.py', ANN, '--launcher', launcher)
    assert line.startswith(f'--launcher {launcher} ')
    assert f'{variable} in their environment' in line


def test_slurm_needs_gpus(fail_tool: Fail, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr('mmsnn.utils.cpu.has_accelerator', lambda: False)
    monkeypatch.setenv('SLURM_PROCID', '0')
    assert fail_tool('train.py', ANN, '--launcher', 'slurm') == (
        '--launcher slurm needs GPUs; without them use --launcher pytorch or none'
    )


# In a process of its own ---------------------------------------------------------


def test_stderr_is_that_line_alone(tmp_path: Path) -> None:
    result = run_tool('train.py', SPIKING, cwd=tmp_path)
    assert result.returncode == 2
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
