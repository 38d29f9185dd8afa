"""Which checkpoint a training is resumed from, and which are refused."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from mmengine.config import Config
from mmengine.hooks import CheckpointHook
from test_engine.noisy_regression import NoisyRegression, make_config

from mmsnn.utils.errors import UserError
from mmsnn.utils.resume import find_start, use_atomic_checkpoints


def make_checkpoint(epoch: int) -> dict[str, Any]:
    """Return what MMEngine's Runner saves for ``make_config``."""
    state = NoisyRegression().state_dict()
    hub = dict(log_scalars={}, runtime_info={}, resumed_keys={})
    return dict(
        meta=dict(epoch=epoch, iter=2 * epoch, seed=5),
        message_hub=hub,
        state_dict=state,
        ema_state_dict={f'module.{name}': value for name, value in state.items()},
        optimizer=dict(state={}, param_groups=[]),
        param_schedulers=[dict(last_step=epoch)],
    )


@pytest.fixture
def cfg(tmp_path: Path) -> Config:
    """A config whose work dir has the checkpoints of three of four epochs."""
    for epoch in (1, 2, 3):
        path = tmp_path / f'epoch_{epoch}.pth'
        torch.save(make_checkpoint(epoch), path)
        os.utime(path, (epoch, epoch))
    (tmp_path / 'last_checkpoint').write_text(str(tmp_path / 'epoch_3.pth'))
    cfg = make_config(tmp_path)
    cfg.train_cfg.max_epochs = 4
    return cfg


def found(cfg: Config) -> tuple[str, str]:
    """Return the name of the checkpoint that is found, and the notes."""
    start, notes = find_start(cfg, 'auto')
    assert start is not None
    assert cfg.resume is True
    assert cfg.load_from == start.path
    return Path(start.path).name, '; '.join(notes)


@pytest.mark.parametrize('content', [None, b'', b'\0\0\0', b'\xff\xfe', b'gone.pth'])
def test_without_a_usable_pointer(cfg: Config, content: bytes | None) -> None:
    assert found(cfg) == ('epoch_3.pth', '')
    pointer = Path(cfg.work_dir, 'last_checkpoint')
    pointer.unlink()
    if content is not None:
        pointer.write_bytes(content)
    name, notes = found(cfg)
    assert name == 'epoch_3.pth'
    assert ('does not exist' in notes) == (content in (b'\xff\xfe', b'gone.pth'))


def test_where_a_pointer_leads(cfg: Config) -> None:
    folder = Path(cfg.work_dir)
    pointer = folder / 'last_checkpoint'
    # written, but not yet named
    pointer.write_text(f'{folder}/epoch_2.pth')
    assert found(cfg) == ('epoch_3.pth', '')
    # the folder was moved, its files copied in any order
    pointer.write_text('/elsewhere/run/epoch_2.pth')
    for path in folder.glob('*.pth'):
        os.utime(path, (1, 1))
    os.utime(folder / 'epoch_2.pth', (2, 2))
    assert found(cfg) == ('epoch_2.pth', '')
    # the training was started again: later epochs are of the earlier one
    os.utime(folder / 'epoch_1.pth')
    pointer.write_text(f'{folder}/epoch_1.pth')
    assert found(cfg) == ('epoch_1.pth', '')


def overwrite(path: Path) -> None:
    content = bytearray(path.read_bytes())
    middle = len(content) // 2
    content[middle : middle + 100] = bytes(100)
    path.write_bytes(content)


def not_finite(path: Path) -> None:
    checkpoint = make_checkpoint(3)
    checkpoint['state_dict']['layers.0.weight'][0, 0] = torch.nan
    torch.save(checkpoint, path)


@pytest.mark.parametrize(
    'damage',
    [
        lambda path: os.truncate(path, path.stat().st_size // 2),
        lambda path: path.write_bytes(b''),
        overwrite,
        not_finite,
        lambda path: torch.save({'a': torch.ones(1)}, path),
    ],
)
def test_one_that_is_not_whole_is_skipped(
    cfg: Config, damage: Callable[[Path], object]
) -> None:
    path = Path(cfg.work_dir, 'epoch_3.pth')
    damage(path)
    name, notes = found(cfg)
    assert name == 'epoch_2.pth'
    assert str(path) in notes


def test_none_that_is_whole(cfg: Config) -> None:
    for path in Path(cfg.work_dir).glob('*.pth'):
        path.write_bytes(b'PK')
    with pytest.raises(UserError) as caught:
        find_start(cfg, 'auto')
    assert all(f'epoch_{epoch}.pth' in str(caught.value) for epoch in (1, 2, 3))


def test_nothing_at_all(tmp_path: Path, cfg: Config) -> None:
    """A training from the beginning, asked for or not."""
    assert find_start(cfg) == (None, [])
    assert cfg.get('load_from') is None
    cfg = make_config(tmp_path / 'new')
    start, notes = find_start(cfg, 'auto')
    assert start is None
    assert cfg.resume is False
    assert 'from the beginning' in notes[0]


def test_folder_and_names_of_the_hook(cfg: Config, tmp_path: Path) -> None:
    folder = tmp_path / 'out' / tmp_path.name
    folder.mkdir(parents=True)
    (tmp_path / 'epoch_2.pth').rename(folder / 'e-2.pt')
    (tmp_path / 'last_checkpoint').unlink()
    cfg.default_hooks.checkpoint.update(
        out_dir=str(tmp_path / 'out'), filename_tmpl='e-{}.pt'
    )
    assert found(cfg) == ('e-2.pt', '')


@pytest.mark.parametrize(('given', 'used'), [(None, 5), (1, 1)])
def test_seed_of_the_interrupted_training(
    cfg: Config, given: int | None, used: int
) -> None:
    cfg.randomness = dict(seed=given)
    found(cfg)
    assert cfg.randomness.seed == used


@pytest.mark.parametrize(
    ('settings', 'option', 'problem'),
    [
        (
            dict(load_from=''),
            None,
            "load_from must be a checkpoint or None, but got ''",
        ),
        (dict(load_from=3), None, 'load_from must be a checkpoint or None, .* 3'),
        (dict(resume='x.pth'), None, "resume must be a bool, but got 'x.pth'"),
        ({}, '', "got ''"),
    ],
)
def test_mistakes(cfg: Config, settings: Any, option: Any, problem: str) -> None:
    cfg.merge_from_dict(settings)
    with pytest.raises(UserError, match=problem):
        find_start(cfg, option)


@pytest.mark.parametrize(
    ('resume', 'settings', 'expected'),
    [
        ('epoch_1.pth', dict(load_from='x.pth'), 'epoch_1.pth'),
        ('auto', dict(load_from='x.pth'), 'epoch_3.pth'),
        (None, dict(resume=True), 'epoch_3.pth'),
        (None, dict(resume=True, load_from='epoch_2.pth'), 'epoch_2.pth'),
        (None, dict(load_from='x.pth'), None),
    ],
)
def test_option_and_settings(
    cfg: Config,
    monkeypatch: pytest.MonkeyPatch,
    resume: str | None,
    settings: dict[str, Any],
    expected: str | None,
) -> None:
    monkeypatch.chdir(cfg.work_dir)
    cfg.merge_from_dict(settings)
    start, _ = find_start(cfg, resume)
    assert (start and Path(start.path).name) == expected
    assert Path(cfg.load_from).name == (expected or 'x.pth')
    assert cfg.resume is (expected is not None)


OURS, OTHER = 'mmsnn.AtomicCheckpointHook', 'my.OtherCheckpointHook'


@pytest.mark.parametrize(
    ('type_', 'used'),
    [('CheckpointHook', OURS), (CheckpointHook, OURS), (OTHER, OTHER), (None, None)],
)
def test_the_hook_is_replaced(cfg: Config, type_: Any, used: str | None) -> None:
    plain = dict(type=type_, interval=2) if type_ else None
    cfg.default_hooks = dict(checkpoint=plain)
    cfg.custom_hooks = [dict(type='CheckpointHook'), dict(type='EMAHook')]
    use_atomic_checkpoints(cfg)
    hook = cfg.default_hooks.checkpoint
    assert hook == (dict(type=used, interval=2) if used else None)
    assert [each.type for each in cfg.custom_hooks] == [OURS, 'EMAHook']
    cfg.pop('default_hooks')
    use_atomic_checkpoints(cfg)
    assert cfg.default_hooks.checkpoint == dict(type=OURS, interval=1)


@pytest.mark.parametrize(
    ('settings', 'finished'),
    [
        (dict(max_epochs=3), 'epoch 3 of 3'),
        (dict(max_epochs=2), 'epoch 3 of 2'),
        (dict(by_epoch=False, max_iters=6), 'iter 6 of 6'),
        (dict(by_epoch=False, max_iters=7), ''),
    ],
)
def test_a_finished_training(
    cfg: Config, settings: dict[str, Any], finished: str
) -> None:
    cfg.train_cfg = settings
    name, notes = found(cfg)
    assert name == 'epoch_3.pth'
    assert finished in notes
    assert bool(finished) == bool(notes)
