"""``mmsnn export onnx`` and ``onnx-step`` through the command line."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from test_deploy.detectors import detector

pytest.importorskip('onnx')
runtime = pytest.importorskip('onnxruntime')
Call = Callable[..., int]
Captured = pytest.CaptureFixture[str]


@pytest.fixture
def export(run_mmsnn: Call, tmp_path: Path) -> Call:
    """Export a narrow detector and return the exit code; the file is ``net.onnx``."""
    texture = np.random.default_rng(0).integers(0, 256, (12, 16, 3), np.uint8)
    for i, size in enumerate([(128, 96), (128, 96), (96, 128)]):
        picture = Image.fromarray(np.roll(texture, i, 1)).resize(size)
        picture.save(tmp_path / f'{i}.png')

    def run(command: str, kind: str, *options: str) -> int:
        torch.manual_seed(0)
        cfg, model = detector(kind)
        cfg.dump(tmp_path / 'config.py')
        torch.save(dict(state_dict=model.state_dict()), tmp_path / 'net.pth')
        words = ['export', command, tmp_path / 'config.py']
        words += [tmp_path / 'net.pth', '--images', tmp_path]
        words += ['--out', tmp_path / 'net.onnx', *options]
        return run_mmsnn(*words)

    return run


def table(printed: str) -> list[list[str]]:
    """Return the cells of the rows of images."""
    return [line.split() for line in printed.splitlines() if '.png ' in line]


def check(rows: list[list[str]], number: int) -> None:
    assert len(rows) == number
    for _, expected, found, matched, box_error, score_error, *states in rows:
        assert int(expected) == int(found) == int(matched) > 0
        assert float(box_error) < 0.01
        assert float(score_error) < 1e-3
        assert all(float(share) < 0.1 for share in states)


@pytest.mark.slow
@pytest.mark.parametrize('kind', ['FCOS', 'FasterRCNN'])
def test_pictures(kind: str, export: Call, capsys: Captured) -> None:
    assert export('onnx', kind) == 0
    printed = capsys.readouterr()
    check(table(printed.out), 3)
    assert 'warning' not in printed.err


@pytest.mark.slow
def test_frames(export: Call, capsys: Captured, tmp_path: Path) -> None:
    assert export('onnx-step', 'FCOS', '--num-steps', '2') == 0
    printed = capsys.readouterr()
    check(table(printed.out), 2)
    assert '128 x 96 pixels: 1 of 3 images have another size' in printed.err
    names = [
        value.name
        for value in runtime.InferenceSession(tmp_path / 'net.onnx').get_inputs()
    ]
    assert names[0] == 'pictures'
    assert 'before/backbone.stem.neuron#0.v' in names


@pytest.mark.parametrize(
    ('command', 'kind', 'options', 'named'),
    [
        ('onnx-step', 'whole', (), 'roi_head.bbox_head'),
        ('onnx-step', 'FCOS', ('--num-steps', '0'), 'num_steps'),
        ('onnx', 'FCOS', ('--num-images', '0'), '--num-images'),
    ],
)
def test_nothing_is_written(
    command: str,
    kind: str,
    options: tuple[str, ...],
    named: str,
    export: Call,
    capsys: Captured,
    tmp_path: Path,
) -> None:
    assert export(command, kind, *options) == 2
    error = capsys.readouterr().err.splitlines()[-1]
    assert error.startswith('error: ') and named in error
    assert not (tmp_path / 'net.onnx').exists()
