"""tools/demo.py: the whole way, on a few images."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from .tiny_coco import TOOLS

COLUMNS = ['mAP', 'AP50', 'AP_S', 'AP_M', 'AP_L', 'mAR', 'AR_S', 'AR_M', 'AR_L']


def run_demo(folder: Path, *options: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, str(TOOLS / 'demo.py'), *options],
        cwd=folder,
        env={**os.environ, 'OMP_NUM_THREADS': '1'},
        capture_output=True,
        text=True,
    )


@pytest.mark.parametrize(
    'decoder', ['asd', pytest.param('rate', marks=pytest.mark.slow)]
)
def test_demo(tmp_path: Path, decoder: str) -> None:
    sizes = ['--num-train', '16', '--num-val', '10', '--epochs', '1']
    done = run_demo(tmp_path, '--decoder', decoder, '--seed', '3', *sizes)
    assert done.returncode == 0, done.stderr[-3000:]

    run = tmp_path / 'work_dirs' / f'demo_{decoder}_seed3'
    pictures = run / 'pictures'
    assert len(list(pictures.glob('0*.png'))) == 8
    assert (pictures / 'overview.png').is_file()
    for expected in (*COLUMNS, str(run), str(pictures)):
        assert expected in done.stdout

    saved = json.loads((run / 'coco_columns.json').read_text())
    assert list(saved['tables']['coco']['columns']) == COLUMNS
    assert saved['checkpoint'].endswith('epoch_1.pth')
    data = tmp_path / 'data' / 'digits_detection'
    assert len(list((data / 'train').glob('*.png'))) == 16
    assert len(list((data / 'val').glob('*.png'))) == 10


def test_a_failing_step_ends_the_demo(tmp_path: Path) -> None:
    done = run_demo(tmp_path, '--num-val', '0')
    assert done.returncode == 2
    assert 'num_val must be from 1 to 100000, but got 0' in done.stderr
    assert not (tmp_path / 'work_dirs').exists()
