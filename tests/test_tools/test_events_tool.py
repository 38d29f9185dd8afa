"""tools/dataset_tools/events.py, as a user runs it."""

from pathlib import Path

import pytest
from test_datasets.event_files import write_cifar10_dvs, write_dvs128_gesture

from .tiny_coco import Call, Fail

TOOL = 'events'


@pytest.fixture
def root(tmp_path: Path) -> Path:
    write_dvs128_gesture(tmp_path / 'set' / 'DvsGesture')
    return tmp_path / 'set'


def test_prepares_and_resumes(root: Path, call_tool: Call) -> None:
    command = [TOOL, 'dvs128_gesture', root, '--num-steps', 4]
    printed = call_tool(*command).out
    assert '3/3' in printed
    assert '24 train, 12 test samples, 36 of them made in' in printed
    folder = root / 'event_frames/dvs128_gesture/number-4_v2'
    assert len(list(folder.rglob('*.npz'))) == 36
    assert str(folder) in printed

    next(folder.rglob('user24_lab_1.npz')).unlink()
    printed = call_tool(*command, '--workers', 2).out
    assert '36 of them' not in printed
    assert '24 train, 12 test samples, 1 of them made in' in printed


def test_cache_dir(root: Path, tmp_path: Path, call_tool: Call) -> None:
    options = ['--num-steps', 3, '--cache-dir', tmp_path / 'frames']
    call_tool(TOOL, 'dvs128_gesture', root, *options)
    assert len(list((tmp_path / 'frames').rglob('*.npz'))) == 36
    assert not (root / 'event_frames').exists()


def test_damaged_files_are_named(tmp_path: Path, fail_tool: Fail) -> None:
    write_cifar10_dvs(tmp_path, 4)
    for name in ('bird', 'ship'):
        path = tmp_path / name / f'cifar10_{name}_2.aedat'
        path.write_bytes(path.read_bytes()[:-1])
    message = fail_tool(TOOL, 'cifar10_dvs', tmp_path, '--num-steps', 4)
    assert message.startswith('2 of 40 files cannot be used: ')
    assert 'cifar10_bird_2.aedat' in message and 'cifar10_ship_2.aedat' in message
    assert len(list((tmp_path / 'event_frames').rglob('*.npz'))) == 38
