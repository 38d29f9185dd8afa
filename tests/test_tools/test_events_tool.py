"""tools/dataset_tools/events.py, as a user runs it."""

from pathlib import Path

import pytest
from test_datasets.event_files import write_dvs128_gesture

from .tiny_coco import Call

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
