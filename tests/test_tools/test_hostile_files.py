"""Hostile checkpoints through everything that reads one."""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from mmdet.apis import DetInferencer, init_detector
from mmengine.config import Config
from mmengine.runner import Runner
from mmengine_instances import separate_run
from test_utils import hostile
from torch import nn
from torch.utils.data import DataLoader

from mmsnn.analysis.model_inputs import build_model
from mmsnn.models import PretrainedResNet, PretrainedSteps, SEWResNet
from mmsnn.utils.checkpoint_readers import SWITCH
from mmsnn.utils.checkpoints import load_file, read_checkpoint, read_weights
from mmsnn.utils.errors import UserError
from mmsnn.utils.safe_loading import UnsafeContentError

from .conftest import PATHS
from .tiny_coco import DETECTOR as TINY
from .tiny_coco import SPIKING, Fail

pytestmark = pytest.mark.usefixtures('in_coco')


@pytest.fixture
def marker(tmp_path: Path) -> Path:
    """What a hostile file creates if code in it runs."""
    return tmp_path / 'marker'


@pytest.fixture(params=['getattr', 'history'])
def checkpoint(request: pytest.FixtureRequest, tmp_path: Path, marker: Path) -> Path:
    """A file that runs code although MMEngine loads weights only."""
    return hostile.write_trick(tmp_path / 'hostile.pth', request.param, marker)


@pytest.fixture(params=[None, '0', '1'])
def variable(
    request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> str | None:
    """What TORCH_FORCE_WEIGHTS_ONLY_LOAD is."""
    monkeypatch.delenv(SWITCH, raising=False)
    if request.param is not None:
        monkeypatch.setenv(SWITCH, request.param)
    return request.param


def tool_arguments(name: str, checkpoint: Path) -> list[Any]:
    """The command line by which a tool reads a checkpoint."""
    first = [SPIKING, checkpoint]
    return {
        'test': ['test', *first],
        'resume': ['train', SPIKING, '--resume', checkpoint],
        'load_from': ['train', SPIKING, '--cfg-options', f'load_from={checkpoint}'],
        'converter': ['resnet', *first, 'never.pth'],
        'benchmark': [
            *('benchmark', SPIKING, '--checkpoint', checkpoint, '--shape', 32)
        ],
    }.get(name, [name, *first, '--random', 32, '--num-images', 1])


TOOLS = (
    *('test', 'resume', 'load_from', 'converter', 'benchmark', 'energy'),
    *('firing_rate', 'gradient_flow', 'coding_dynamics', 'spikes'),
)


@pytest.mark.parametrize('name', TOOLS)
def test_tools(name: str, checkpoint: Path, marker: Path, fail_tool: Fail) -> None:
    """One line that names the file; nothing in it has run."""
    line = fail_tool(*tool_arguments(name, checkpoint))
    assert f"checkpoint '{checkpoint}' holds the attribute '__builtins__'" in line
    assert not marker.exists()


def build_initialised(path: str) -> None:
    """Build a model whose backbone is filled by MMEngine's initialiser."""
    cfg = Config.fromfile(TINY)
    cfg.model.backbone.init_cfg = dict(type='Pretrained', checkpoint=path)
    build_model(cfg)


PYTHON: dict[str, Callable[[str], Any]] = {
    'load_file': load_file,
    'read_checkpoint': read_checkpoint,
    'read_weights': read_weights,
    'build_model': lambda path: build_model(Config.fromfile(TINY), path),
    'Pretrained': build_initialised,
    'PretrainedResNet': lambda path: PretrainedResNet(path)(SEWResNet(10)),
    'PretrainedSteps': lambda path: PretrainedSteps(path)(nn.Linear(1, 1)),
}


@pytest.mark.parametrize('name', PYTHON)
def test_what_is_ours(
    name: str, checkpoint: Path, variable: str | None, marker: Path
) -> None:
    """It is safe whatever the environment says."""
    with pytest.raises(UserError, match=f"'{checkpoint}' holds"):
        PYTHON[name](str(checkpoint))
    assert not marker.exists()


def load_in_a_runner(path: str) -> None:
    with separate_run():
        Runner(
            nn.Linear(1, 1), f'{path}_run', experiment_name='hostile', load_from=path
        ).load_or_resume()


def infer(path: str) -> None:
    DetInferencer(str(TINY), path, device='cpu', show_progress=False)


THEIRS: dict[str, Callable[[str], Any]] = {
    'DetInferencer': infer,
    'init_detector': lambda path: init_detector(str(TINY), path, device='cpu'),
    'Runner': load_in_a_runner,
}


@pytest.mark.parametrize('name', THEIRS)
def test_what_is_theirs(
    name: str, variable: str | None, tmp_path: Path, marker: Path
) -> None:
    """It is safe unless the variable is 0, and then loads as without mmsnn."""
    path = hostile.write_trick(tmp_path / 'hostile.pth', 'getattr', marker)
    if variable == '0':
        THEIRS[name](str(path))
    else:
        with pytest.raises(UnsafeContentError):
            THEIRS[name](str(path))
    assert marker.exists() == (variable == '0')


def resume(path: str) -> None:
    with separate_run():
        Runner(
            nn.Linear(1, 1),
            f'{path}_run',
            DataLoader([0]),
            train_cfg=dict(by_epoch=True, max_epochs=1),
            optim_wrapper=dict(optimizer=dict(type='SGD', lr=0.1)),
            experiment_name='hostile',
            load_from=path,
            resume=True,
        ).load_or_resume()


def test_a_program_in_a_checkpoint_that_is_resumed(
    variable: str | None, tmp_path: Path, marker: Path
) -> None:
    """The config in it is run only if the variable is 0; it is not needed."""
    resume(str(hostile.write_program(tmp_path / 'hostile.pth', marker)))
    assert marker.exists() == (variable == '0')


def test_a_program_in_a_checkpoint_without_a_config(
    variable: str | None, tmp_path: Path, marker: Path
) -> None:
    path = str(hostile.write_program(tmp_path / 'hostile.pth', marker))
    # what the program leaves is no config
    message = 'model' if variable == '0' else f"'{path}' is given without a config"
    with pytest.raises((AttributeError, ValueError), match=message):
        DetInferencer(weights=path, device='cpu')
    assert marker.exists() == (variable == '0')


@pytest.mark.slow
@pytest.mark.parametrize('environment', [{}, {SWITCH: '0'}])
def test_as_a_user_runs_them(
    environment: dict[str, str], tmp_path: Path, marker: Path
) -> None:
    """The command lines, and a process that imports mmsnn alone."""
    path = hostile.write_trick(tmp_path / 'hostile.pth', 'getattr', marker)
    kept = {key: value for key, value in os.environ.items() if key != SWITCH}
    python = (
        'import mmsnn; from mmdet.apis import init_detector; '
        f'init_detector({str(TINY)!r}, {str(path)!r}, device="cpu")'
    )
    commands = [] if environment else [['-c', python]]
    for name in ('test', 'resume', 'converter'):
        tool, *arguments = map(str, tool_arguments(name, path))
        commands.append([str(PATHS[tool]), *arguments])
    for command in commands:
        done = subprocess.run(
            [sys.executable, *command],
            env=kept | environment,
            capture_output=True,
            text=True,
        )
        assert done.returncode == (1 if command[0] == '-c' else 2)
        assert "holds the attribute '__builtins__'" in done.stderr
    assert not marker.exists()
