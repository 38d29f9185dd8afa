"""``mmsnn gradcam`` of a detector and of a classifier."""

import json
import shutil
from pathlib import Path

import pytest
import torch
from mmengine.config import Config
from test_configs.narrow import narrow

import mmsnn
from mmsnn.analysis.model_inputs import build_model

ROOT = Path(mmsnn.__file__).parent
SAMPLE = ROOT / 'web' / 'samples' / 'digits_1.jpg'
DETECTOR = 'mmsnn::spiking_retinanet/spiking-retinanet_sg-r10-asd_fpn_1xb8-8e_digits.py'
CLASSIFIER = ROOT / '.mim' / 'configs' / 'digits' / 'sg-r10-asd_1xb64-30e_digits.py'


@pytest.fixture
def call(monkeypatch, tmp_path, run_mmsnn):
    """Run the command in an empty folder; return its exit code."""
    monkeypatch.chdir(tmp_path)
    return lambda *words: run_mmsnn('gradcam', *words)


def test_shipped_detector(call, tmp_path, capsys) -> None:
    other = shutil.copy(SAMPLE, tmp_path / 'other.jpg')
    assert call(DETECTOR, SAMPLE, other, '--box', 1, '--out-dir', 'out') == 0
    data = json.loads((tmp_path / 'out' / 'report.json').read_text())['data']
    first, second = data
    assert first['layers'] == second['layers']
    assert len(first['boxes']['boxes']) == 1
    steps = [torch.tensor(layer['steps']) for layer in first['layers']]
    assert [x.shape for x in steps] == [(4, side, side) for side in (32, 16, 8, 4)]
    pictures = {path.name for path in (tmp_path / 'out').glob('*.png')}
    drawn = [i for i, x in enumerate(steps) if x.any()]
    assert pictures == {f'image{n}_backbone_{i}.png' for n in (1, 2) for i in drawn}
    assert 'digits_1.jpg' in capsys.readouterr().out


def test_classifier_with_a_checkpoint(call, tmp_path) -> None:
    cfg = Config.fromfile(CLASSIFIER)
    narrow(cfg)
    cfg.dump(tmp_path / 'net.py')
    model = build_model(cfg)
    torch.save(dict(state_dict=model.state_dict()), tmp_path / 'net.pth')
    words = ('net.py', 'net.pth', SAMPLE, '--class', 3, '--out-dir', 'out')
    assert call(*words, '--layer', 'backbone.stages.1', 'neck') == 2
    assert call(*words, '--layer', 'backbone.stages.1') == 0
    (one,) = json.loads((tmp_path / 'out' / 'report.json').read_text())['data']
    assert one['label'] == 3 and one['boxes'] is None
    assert [layer['name'] for layer in one['layers']] == ['backbone.stages.1']


@pytest.mark.parametrize(
    ('words', 'part'),
    [
        ([DETECTOR], 'IMAGE'),
        ([DETECTOR, 'net.pth'], "'net.pth'"),
        ([DETECTOR, 'none.jpg'], "'none.jpg'"),
        ([DETECTOR, 'none.pth', SAMPLE], "'none.pth'"),
        ([CLASSIFIER, SAMPLE], 'checkpoint'),
        ([DETECTOR, SAMPLE, '--class', 'ten'], "'ten'"),
        ([DETECTOR, SAMPLE, '--class', '10'], "'10'"),
        ([DETECTOR, SAMPLE, '--class', '1', '--box', 1], '--box'),
        ([DETECTOR, SAMPLE, '--box', 999], 'index 999'),
        ([DETECTOR, SAMPLE, '--layer', 'none'], "'none'"),
        ([DETECTOR, 'text.png'], 'text.png'),
    ],
)
def test_mistake_is_one_line(call, capsys, tmp_path, words, part) -> None:
    (tmp_path / 'text.png').write_text('not an image')
    assert call(*words) == 2
    error = capsys.readouterr().err.splitlines()[-1]
    assert error.startswith('error: ') and part in error
