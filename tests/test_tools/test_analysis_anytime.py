"""``mmsnn anytime`` on a few images, with the shipped detector."""

import json
import sys
from pathlib import Path

import pytest

from mmsnn.cli.main import main
from mmsnn.datasets import make_digits_detection

from .conftest import separate_run
from .tiny_coco import CONFIGS, ROOT

NAME = 'spiking-retinanet_sg-r10-asd_fpn_1xb8-8e_digits'
DETECTOR = CONFIGS / 'spiking_retinanet' / f'{NAME}.py'
CLASSIFIER = CONFIGS / 'digits' / 'sg-r10-asd_1xb64-30e_digits.py'
ANN = CONFIGS / 'retinanet' / 'retinanet_r10_fpn_1xb8-8e_digits.py'
WEIGHTS = ROOT / 'mmsnn/weights' / f'{NAME}.pth'


def run(monkeypatch: pytest.MonkeyPatch, *words: object) -> int:
    monkeypatch.setattr(sys, 'argv', ['mmsnn', 'anytime', *map(str, words)])
    with separate_run():
        try:
            main()
        except SystemExit as end:
            return int(end.code or 0)
    return 0


def test_report(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    make_digits_detection(num_train=1, num_val=3)
    assert run(monkeypatch, DETECTOR, WEIGHTS, '--out-dir', 'out', '--iou', 0.5) == 0
    data = json.loads(Path('out/report.json').read_text(encoding='utf-8'))['data']
    steps, early = data['steps'], data['early']
    assert [step['num_steps'] for step in steps] == [1, 2, 3, 4]
    assert data['num_images'] == 3
    energies = [step['energy_pj'] for step in steps]
    assert energies == sorted(energies)
    # neck and head, most of the energy, run once per result
    assert steps[0]['each_pj'] == steps[0]['energy_pj']
    assert 3.9 < steps[3]['each_pj'] / energies[3] < 4
    shares = [step['stopped'] for step in steps]
    assert shares == sorted(shares) and shares[0] == 0 and shares[3] == 1
    ends = [after - before for before, after in zip([0, *shares], shares, strict=False)]
    mean = sum(t * share for t, share in enumerate(ends, start=1))
    assert early['num_steps'] == pytest.approx(mean)
    assert steps[1]['each_pj'] < early['each_pj'] < steps[3]['each_pj'] or mean == 4
    assert steps[3]['metrics']['coco/bbox_mAP'] > steps[0]['metrics']['coco/bbox_mAP']
    printed = capsys.readouterr().out
    assert 'stopping early' in printed and 'IoU >= 0.5' in printed
    assert Path('out/anytime.png').stat().st_size > 1000


def test_steps_that_find_nothing(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    make_digits_detection(num_train=1, num_val=3)
    least = ['--cfg-options', 'model.test_cfg.score_thr=0.976']
    assert run(monkeypatch, DETECTOR, WEIGHTS, '--out-dir', 'out', *least) == 0
    data = json.loads(Path('out/report.json').read_text(encoding='utf-8'))['data']
    found = [step['metrics']['coco/bbox_mAP'] for step in data['steps']]
    assert found[0] == 0 and found[3] > 0


@pytest.mark.parametrize(
    ('words', 'told'),
    [
        ([ANN], 'no spiking neurons'),
        ([DETECTOR, '--iou', 2], 'iou must be in (0, 1], but got 2'),
        ([DETECTOR, '--costs', 'TPU'], 'one of SG, GAC'),
        ([CLASSIFIER], 'no boxes'),
        (
            [DETECTOR, '--cfg-options', 'model.test_cfg.score_thr=1.0'],
            'finds nothing in any',
        ),
    ],
)
def test_mistakes(
    words: list[object],
    told: str,
    folder: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    make_digits_detection(num_train=1, num_val=1)
    assert run(monkeypatch, *words) == 2
    assert told in capsys.readouterr().err
