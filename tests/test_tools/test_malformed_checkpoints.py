"""Malformed checkpoints through every tool: one line each, or used and rightly so."""

import json
import os
import shutil
import signal
import time
from itertools import product
from pathlib import Path
from typing import Any

import pytest
import torch
from mmengine_instances import separate_run
from test_engine.noisy_regression import make_config, train

from mmsnn.utils.checkpoints import load_file
from mmsnn.utils.work_dir import claim_work_dir

from .malformed_checkpoints import CONTENTS, FILES, SAYS, UNRESUMABLE, WEIGHT, write
from .tiny_coco import Call, Fail


@pytest.fixture(scope='module')
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a config, and in ``run`` what its training leaves."""
    folder = tmp_path_factory.mktemp('whole')
    cfg = make_config(folder / 'run')
    cfg.dump(folder / 'config.py')
    with separate_run():
        train(cfg)
    return folder


def commands(entry: str, whole: Path, path: Path) -> list[Any]:
    """Return the command that reads ``path``."""
    config, work_dir = whole / 'config.py', ['--work-dir', path.parent]
    if entry == 'test':
        return ['test.py', config, path, *work_dir]
    if entry == 'load_from':
        return ['train.py', config, *work_dir, '--cfg-options', f'load_from={path}']
    resume = ['--resume'] if entry == 'auto' else ['--resume', path]
    return ['train.py', config, *work_dir, *resume]


@pytest.mark.parametrize(
    ('name', 'entry'),
    [
        *product([*FILES, *CONTENTS], ['test', 'load_from', 'resume']),
        *product(FILES, ['auto']),
    ],
)
def test_unusable(
    name: str, entry: str, whole: Path, tmp_path: Path, call_tool: Call, fail_tool: Fail
) -> None:
    path = tmp_path / 'epoch_3.pth'
    write(name, path, whole / 'run' / path.name)
    (tmp_path / 'last_checkpoint').write_text(str(path))
    if (name, entry) == ('transposed weights', 'load_from'):
        # most of this model is vectors, which fit
        said = call_tool(*commands(entry, whole, path)).err
        assert f'warning: checkpoint {str(path)!r} fits 6 of' in said
    else:
        line = fail_tool(*commands(entry, whole, path))
        assert str(path) in line
        if entry == 'test' or (name in FILES and entry != 'auto'):
            assert SAYS.get(name, '') in line


@pytest.mark.parametrize('name', UNRESUMABLE)
def test_unresumable(
    name: str, whole: Path, tmp_path: Path, fail_tool: Fail, call_tool: Call
) -> None:
    path = tmp_path / 'epoch_3.pth'
    write(name, path, whole / 'run' / path.name)
    line = fail_tool(*commands('resume', whole, path))
    assert str(path) in line or 'resumed checkpoint' in line
    call_tool(*commands('test', whole, path))
    assert (tmp_path / 'metrics.json').is_file()


def error_of(folder: Path) -> float:
    metrics = json.loads((folder / 'metrics.json').read_text())['metrics']
    return metrics['mean/error']


@pytest.fixture(scope='module')
def tested(whole: Path) -> float:
    """What the model scores with the whole checkpoint, by the runner's record."""
    last = load_file(str(whole / 'run' / 'epoch_3.pth'))
    scores = last['message_hub']['log_scalars']['val/mean/error']
    return float(scores.current())


@pytest.mark.parametrize('form', ['whole', 'module.', 'bare', 'bare module.'])
def test_averaged_weights_are_those_of_the_checkpoint(
    form: str, whole: Path, tmp_path: Path, call_tool: Call, tested: float
) -> None:
    """With EMAHook, what is tested is the average, which a hook loads by itself."""
    path = tmp_path / 'x.pth'
    checkpoint = load_file(str(whole / 'run' / 'epoch_3.pth'))
    state = checkpoint['state_dict']
    if 'module.' in form:
        state = {f'module.{name}': value for name, value in state.items()}
    torch.save(state if 'bare' in form else checkpoint | {'state_dict': state}, path)
    call_tool(*commands('test', whole, path))
    assert error_of(tmp_path) == pytest.approx(tested, rel=1e-5)


def test_a_part_of_the_weights(
    whole: Path, tmp_path: Path, call_tool: Call, fail_tool: Fail
) -> None:
    """test.py needs all, load_from half, unless --allow-partial is given."""
    path = tmp_path / 'x.pth'
    state = load_file(str(whole / 'run' / 'epoch_3.pth'))['state_dict']
    del state[WEIGHT]
    torch.save(state, path)
    test, load = (commands(entry, whole, path) for entry in ('test', 'load_from'))
    assert WEIGHT in fail_tool(*test)
    for command in ([*test, '--allow-partial'], load):
        lines = call_tool(*command).err.splitlines()
        assert sum(x.startswith('warning: ') and WEIGHT in x for x in lines) == 1
    torch.save(dict(list(state.items())[:2]), path)
    assert '--allow-partial' in fail_tool(*load)
    call_tool(*load, '--allow-partial')


def test_resume_takes_the_newest_that_is_whole(
    whole: Path, tmp_path: Path, call_tool: Call
) -> None:
    shutil.copy(whole / 'run' / 'epoch_3.pth', tmp_path / 'epoch_3.pth')
    write('cut', tmp_path / 'epoch_4.pth', whole / 'run' / 'epoch_3.pth')
    (tmp_path / 'last_checkpoint').touch()
    lines = call_tool(*commands('auto', whole, tmp_path / 'epoch_4.pth')).err
    (line,) = (x for x in lines.splitlines() if x.startswith('warning: resuming'))
    assert 'epoch_3.pth' in line
    assert 'epoch_4.pth' in line


def test_a_work_dir_in_use(whole: Path, tmp_path: Path, fail_tool: Fail) -> None:
    process = os.fork()
    if process == 0:
        with claim_work_dir(str(tmp_path)):
            (tmp_path / 'claimed').touch()
            signal.pause()
    try:
        while not (tmp_path / 'claimed').exists():
            time.sleep(0.01)
        line = fail_tool('train.py', whole / 'config.py', '--work-dir', tmp_path)
        assert f'process {process}' in line
    finally:
        os.kill(process, signal.SIGKILL)
        os.waitpid(process, 0)
