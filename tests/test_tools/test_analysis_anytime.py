"""``mmsnn anytime`` on a few images, with the shipped detector."""

from pathlib import Path

import pytest

from mmsnn.datasets import make_digits_detection

from .reports import measure
from .tiny_coco import CONFIGS, DETECTOR, ROOT, Call, Fail

WEIGHTS = ROOT / 'mmsnn' / 'weights' / DETECTOR.with_suffix('.pth').name


def test_report(call_tool: Call, folder: Path) -> None:
    make_digits_detection(num_train=1, num_val=3)
    options = [DETECTOR, WEIGHTS, '--iou', 0.5]
    report, printed = measure(call_tool, 'anytime', *options)
    data = report['data']
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
    assert 'early stopping' in printed.out and 'IoU >= 0.5' in printed.out
    assert Path('out/anytime.png').stat().st_size > 1000


def test_steps_that_find_nothing(
    call_tool: Call, fail_tool: Fail, folder: Path
) -> None:
    make_digits_detection(num_train=1, num_val=3)
    least = ['--cfg-options', 'model.test_cfg.score_thr=0.976']
    report, _ = measure(call_tool, 'anytime', DETECTOR, WEIGHTS, *least)
    found = [step['metrics']['coco/bbox_mAP'] for step in report['data']['steps']]
    assert found[0] == 0 and found[3] > 0
    least[1] = 'model.test_cfg.score_thr=1.0'
    assert 'finds nothing in any' in fail_tool('anytime', DETECTOR, WEIGHTS, *least)


def test_a_network_without_spikes(fail_tool: Fail, folder: Path) -> None:
    make_digits_detection(num_train=1, num_val=1)
    config = CONFIGS / 'retinanet' / 'retinanet_r10_fpn_1xb8-8e_digits.py'
    assert 'no spiking neurons' in fail_tool('anytime', config)
