"""tools/dataset_tools/events.py, as a user runs it."""

from collections.abc import Callable
from pathlib import Path

import pytest
from test_datasets.event_files import write_cifar10_dvs, write_dvs128_gesture

TOOL = 'dataset_tools/events.py'


@pytest.fixture
def root(tmp_path: Path) -> Path:
    write_dvs128_gesture(tmp_path / 'set' / 'DvsGesture')
    return tmp_path / 'set'


def test_prepares_and_resumes(
    root: Path, call_tool: Callable[..., None], capfd: pytest.CaptureFixture[str]
) -> None:
    call_tool(TOOL, 'dvs128_gesture', root, '--num-steps', 4)
    printed = capfd.readouterr().out
    assert '3/3' in printed
    assert '24 train, 12 test samples, 36 of them made in' in printed
    folder = root / 'event_frames/dvs128_gesture/number-4_v2'
    assert len(list(folder.rglob('*.npz'))) == 36
    assert str(folder) in printed

    next(folder.rglob('user24_lab_1.npz')).unlink()
    call_tool(TOOL, 'dvs128_gesture', root, '--num-steps', 4, '--workers', 2)
    assert '36 of them' not in (printed := capfd.readouterr().out)
    assert '24 train, 12 test samples, 1 of them made in' in printed


def test_cache_dir(root: Path, tmp_path: Path, call_tool: Callable[..., None]) -> None:
    options = ['--num-steps', 3, '--cache-dir', tmp_path / 'frames']
    call_tool(TOOL, 'dvs128_gesture', root, *options)
    assert len(list((tmp_path / 'frames').rglob('*.npz'))) == 36
    assert not (root / 'event_frames').exists()


@pytest.mark.parametrize(
    ('dataset', 'options', 'message'),
    [
        ('n_mnist', [], 'dataset must be one of cifar10_dvs, dvs128_gesture'),
        ('cifar10_dvs', [], 'lacks the folders of classes airplane'),
        ('dvs128_gesture', ['--num-steps', 0], 'num_steps must be at least 1'),
        ('dvs128_gesture', ['--num-steps', 91], 'has 90 events, which cannot be'),
        ('dvs128_gesture', ['--workers', 0], 'workers must be at least 1'),
        ('dvs128_gesture', ['--cache-dir', '/dev/null/frames'], '/dev/null/frames'),
    ],
)
def test_mistake_is_one_line(
    root: Path,
    fail_tool: Callable[..., str],
    dataset: str,
    options: list,
    message: str,
) -> None:
    assert message in fail_tool(TOOL, dataset, root, *options)


def test_missing_root_is_one_line(fail_tool: Callable[..., str]) -> None:
    message = fail_tool(TOOL, 'cifar10_dvs', 'data/nowhere')
    assert "data_root 'data/nowhere' does not exist" in message


def test_damaged_files_are_named(tmp_path: Path, fail_tool: Callable[..., str]) -> None:
    write_cifar10_dvs(tmp_path, 4)
    for name in ('bird', 'ship'):
        path = tmp_path / name / f'cifar10_{name}_2.aedat'
        path.write_bytes(path.read_bytes()[:-1])
    message = fail_tool(TOOL, 'cifar10_dvs', tmp_path, '--num-steps', 4)
    assert message.startswith('2 of 40 files cannot be used: ')
    assert 'cifar10_bird_2.aedat' in message and 'cifar10_ship_2.aedat' in message
    assert len(list((tmp_path / 'event_frames').rglob('*.npz'))) == 38
