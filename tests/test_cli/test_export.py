"""``mmsnn export nir`` and the guide's example."""

import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from mmengine.config import Config
from PIL import Image
from test_configs.narrow import narrow

nir = pytest.importorskip('nir')
pytest.importorskip('nirtorch')
ROOT = Path(__file__).resolve().parents[2]
CLASSIFIER = 'digits/sew-add-r10-rate_1xb64-30e_digits.py'
DETECTOR = 'spiking_retinanet/spiking-retinanet_sg-r10-rate_fpn_1xb8-8e_digits.py'
Call = Callable[..., int]
Captured = pytest.CaptureFixture[str]


@pytest.fixture
def export(run_mmsnn: Call, tmp_path: Path) -> Call:
    """Export a narrow model and return the exit code; the file is ``net.nir``."""
    for i, size in enumerate([(64, 64), (64, 64), (64, 32)]):
        pixels = np.random.default_rng(i).integers(0, 256, (*size, 3), np.uint8)
        Image.fromarray(pixels).save(tmp_path / f'{i}.png')

    def run(config: str, *options: str, **backbone: object) -> int:
        cfg = Config.fromfile(ROOT / 'configs' / config)
        if 'head' in cfg.model:
            narrow(cfg)
        cfg.model.backbone.update(backbone)
        cfg.dump(tmp_path / 'config.py')
        words = ['export', 'nir', tmp_path / 'config.py']
        words += ['--images', tmp_path, '--out', tmp_path / 'net.nir', *options]
        return run_mmsnn(*words)

    return run


def test_classifier(export: Call, tmp_path: Path, capsys: Captured) -> None:
    assert export(CLASSIFIER, '--num-images', '2') == 0
    graph = nir.read(tmp_path / 'net.nir')
    assert graph.metadata['average_outputs'] == 1
    assert 'head.fc' in graph.nodes
    printed = capsys.readouterr().out
    assert 'differing' in printed
    assert 'mean of the output over 4 time steps' in printed


def test_detector(export: Call, tmp_path: Path, capsys: Captured) -> None:
    assert export(DETECTOR, type='mmsnn.ResNetSNN', family='SEW-ADD') == 0
    graph = nir.read(tmp_path / 'net.nir')
    assert len(graph.outputs) > 1
    assert not graph.metadata['average_outputs']
    assert '1 of 3 images' in capsys.readouterr().err


def test_backbone_of_a_classifier(
    export: Call, tmp_path: Path, capsys: Captured
) -> None:
    family = dict(type='mmsnn.ResNetSNN', family='SEW-ADD')
    config = 'digits/sg-r10-asd_1xb64-30e_digits.py'
    assert export(config, '--num-images', '1', **family) == 0
    assert nir.read(tmp_path / 'net.nir').metadata['average_outputs'] == 0
    assert 'only the backbone is exported' in capsys.readouterr().err


def test_what_cannot_be_exported(
    export: Call, tmp_path: Path, capsys: Captured
) -> None:
    assert export(DETECTOR) == 2
    error = capsys.readouterr().err.splitlines()[-1]
    assert 'stages.0.0.merge: ' in error
    assert not (tmp_path / 'net.nir').exists()


def test_example_of_the_guide(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    text = (ROOT / 'docs' / 'export.md').read_text(encoding='utf-8')
    blocks = re.findall(r'```python\n(.*?)```', text, re.DOTALL)
    (example,) = (block for block in blocks if 'export_nir' in block)
    monkeypatch.chdir(tmp_path)
    # smaller than the guide's, which writes 50 MB
    example = example.replace('18', '10, base_channels=4').replace('224', '64')
    exec(example, {})
    assert nir.read('backbone.nir').metadata['num_steps'] == 4
