"""tools/dataset_tools/digits_detection.py, as a user runs it."""

import re
import sys
from pathlib import Path

import pytest

from .tiny_coco import ROOT, Call, Fail

COUNTS = ['--num-train', '4', '--num-val', '3', '--image-size', '120']


def test_makes_a_set_in_the_default_folder_once(call_tool: Call, folder: Path) -> None:
    printed = call_tool('digits_detection', *COUNTS).out
    assert 'Made data/digits_detection in' in printed
    assert 'train 4 images' in printed and 'val   3 images' in printed
    root = folder / 'data/digits_detection'
    assert len(list(root.glob('train/*.png'))) == 4
    assert (root / 'annotations/instances_val.json').is_file()
    printed = call_tool('digits_detection', *COUNTS).out
    assert 'is complete with these options, left as it is' in printed


def test_missing_scikit_learn(
    fail_tool: Fail, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is imported where the digits are drawn: all else does without it."""
    monkeypatch.setitem(sys.modules, 'sklearn', None)
    monkeypatch.delitem(sys.modules, 'sklearn.datasets', raising=False)
    line = fail_tool('digits_detection', '--out-dir', 'set')
    assert 'pip install scikit-learn' in line
    assert not any(folder.iterdir())
    for path in (ROOT / 'mmsnn').rglob('*.py'):
        code = path.read_text(encoding='utf-8')
        assert not re.search(r'^(import|from) sklearn', code, re.MULTILINE), path
