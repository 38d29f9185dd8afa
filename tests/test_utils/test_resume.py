"""Which checkpoint a training is resumed from, and which are refused."""

import os
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
    """A config whose work dir has the checkpoints of three epochs."""
    for epoch in (1, 2, 3):
        path = tmp_path / f'epoch_{epoch}.pth'
        torch.save(make_checkpoint(epoch), path)
        os.utime(path, (epoch, epoch))
    (tmp_path / 'last_checkpoint').write_text(str(tmp_path / 'epoch_3.pth'))
    return make_config(tmp_path)


def found(cfg: Config) -> tuple[str, str]:
    """Return the name of the checkpoint that is found, and the notes."""
    start, notes = find_start(cfg, 'auto')
    assert start is not None
    assert cfg.resume is True
    assert cfg.load_from == start.path
    return Path(start.path).name, '; '.join(notes)


def test_the_newest(cfg: Config) -> None:
    cfg.train_cfg.max_epochs = 4
    assert found(cfg) == ('epoch_3.pth', '')


@pytest.mark.parametrize('content', [None, b'', b'\0\0\0', b'\xff\xfe', b'gone.pth'])
def test_without_a_usable_pointer(cfg: Config, content: bytes | None) -> None:
    pointer = Path(cfg.work_dir, 'last_checkpoint')
    pointer.unlink()
    if content is not None:
        pointer.write_bytes(content)
    name, notes = found(cfg)
    assert name == 'epoch_3.pth'
    assert ('does not exist' in notes) == (content in (b'\xff\xfe', b'gone.pth'))


@pytest.mark.parametrize(
    'damage', ['cut', 'empty', 'overwritten', 'not finite', 'bare']
)
def test_one_that_is_not_whole_is_skipped(cfg: Config, damage: str) -> None:
    path = Path(cfg.work_dir, 'epoch_3.pth')
    content = bytearray(path.read_bytes())
    if damage == 'cut':
        path.write_bytes(content[: len(content) // 2])
    elif damage == 'empty':
        path.write_bytes(b'')
    elif damage == 'overwritten':
        middle = len(content) // 2
        content[middle : middle + 100] = bytes(100)
        path.write_bytes(content)
    else:
        checkpoint = make_checkpoint(3)
        checkpoint['state_dict']['layers.0.weight'][0, 0] = torch.nan
        torch.save(checkpoint if damage == 'not finite' else {'a': torch.ones(1)}, path)
    name, notes = found(cfg)
    assert name == 'epoch_2.pth'
    assert str(path) in notes


def test_none_that_is_whole(cfg: Config) -> None:
    for path in Path(cfg.work_dir).glob('*.pth'):
        path.write_bytes(b'PK')
    with pytest.raises(UserError) as caught:
        find_start(cfg, 'auto')
    assert all(f'epoch_{epoch}.pth' in str(caught.value) for epoch in (1, 2, 3))


def test_nothing_at_all(tmp_path: Path) -> None:
    cfg = make_config(tmp_path / 'new')
    start, notes = find_start(cfg, 'auto')
    assert start is None
    assert cfg.resume is False
    assert 'from the beginning' in notes[0]


def test_written_but_not_yet_named(cfg: Config) -> None:
    Path(cfg.work_dir, 'last_checkpoint').write_text(f'{cfg.work_dir}/epoch_2.pth')
    cfg.train_cfg.max_epochs = 4
    assert found(cfg) == ('epoch_3.pth', '')


def test_later_epochs_of_an_earlier_training(cfg: Config) -> None:
    """A training that was started again: its first epoch is the newest checkpoint."""
    os.utime(Path(cfg.work_dir, 'epoch_1.pth'))
    Path(cfg.work_dir, 'last_checkpoint').write_text(f'{cfg.work_dir}/epoch_1.pth')
    assert found(cfg) == ('epoch_1.pth', '')


def test_a_folder_that_was_moved(cfg: Config) -> None:
    Path(cfg.work_dir, 'last_checkpoint').write_text('/elsewhere/run/epoch_2.pth')
    for path in Path(cfg.work_dir).glob('*.pth'):
        os.utime(path, (1, 1))  # copied in any order
    os.utime(Path(cfg.work_dir, 'epoch_2.pth'), (2, 2))
    assert found(cfg) == ('epoch_2.pth', '')


def test_folder_and_names_of_the_hook(cfg: Config, tmp_path: Path) -> None:
    folder = tmp_path / 'out' / tmp_path.name
    folder.mkdir(parents=True)
    (tmp_path / 'epoch_2.pth').rename(folder / 'e-2.pt')
    (tmp_path / 'last_checkpoint').unlink()
    cfg.default_hooks.checkpoint.update(
        out_dir=str(tmp_path / 'out'), filename_tmpl='e-{}.pt'
    )
    assert found(cfg) == ('e-2.pt', '')


def test_seed_of_the_interrupted_training(cfg: Config) -> None:
    cfg.randomness = dict(seed=None)
    found(cfg)
    assert cfg.randomness.seed == 5
    cfg.randomness = dict(seed=1)
    found(cfg)
    assert cfg.randomness.seed == 1


@pytest.mark.parametrize(
    ('settings', 'problem'),
    [
        (dict(load_from=''), "load_from must be a checkpoint or None, but got ''"),
        (dict(load_from=3), 'load_from must be a checkpoint or None, but got 3'),
        (dict(resume='x.pth'), "resume must be a bool, but got 'x.pth'"),
    ],
)
def test_settings(cfg: Config, settings: dict[str, Any], problem: str) -> None:
    cfg.merge_from_dict(settings)
    with pytest.raises(UserError, match=problem):
        find_start(cfg)


def test_an_empty_option(cfg: Config) -> None:
    with pytest.raises(UserError, match="got ''"):
        find_start(cfg, '')


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


def test_a_training_from_the_beginning(cfg: Config) -> None:
    assert find_start(cfg) == (None, [])
    assert cfg.get('load_from') is None


@pytest.mark.parametrize('hook', ['default', 'none', 'custom', 'class', 'other'])
def test_the_hook_is_replaced(cfg: Config, hook: str) -> None:
    ours = 'mmsnn.AtomicCheckpointHook'
    plain: Any = dict(type='CheckpointHook', interval=2)
    cfg.default_hooks = dict(checkpoint=plain)
    if hook == 'none':
        cfg.pop('default_hooks')
    elif hook == 'custom':
        cfg.default_hooks = dict(checkpoint=None)
        cfg.custom_hooks = [plain, dict(type='EMAHook')]
    elif hook == 'class':
        cfg.default_hooks.checkpoint.type = CheckpointHook
    elif hook == 'other':
        cfg.default_hooks.checkpoint.type = 'my.OtherCheckpointHook'
    use_atomic_checkpoints(cfg)
    if hook == 'custom':
        assert cfg.default_hooks.checkpoint is None
        assert [each.type for each in cfg.custom_hooks] == [ours, 'EMAHook']
    elif hook == 'other':
        assert cfg.default_hooks.checkpoint.type == 'my.OtherCheckpointHook'
    else:
        assert cfg.default_hooks.checkpoint.type == ours
        assert cfg.default_hooks.checkpoint.interval == (1 if hook == 'none' else 2)


@pytest.mark.parametrize(
    ('settings', 'finished'),
    [
        (dict(max_epochs=3), 'epoch 3 of 3'),
        (dict(max_epochs=2), 'epoch 3 of 2'),
        (dict(max_epochs=4), ''),
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
