"""The configs of event detection train and test on files in the real layouts."""

from pathlib import Path

import numpy as np
import pytest
from mmengine.runner import Runner
from mmengine_instances import separate_run
from test_datasets.test_event_detection.rvt import (
    GEN1,
    MEGAPIXEL,
    random_histograms,
    write_rvt,
)
from test_datasets.test_event_detection.test_data_sets import box, write_recording

from test_configs.files import CONFIGS, load
from test_configs.runs import quick_first, shorten

PATHS = sorted(
    str(path.relative_to(CONFIGS))
    for data in ('event-digits', 'gen1', 'gen1-rvt', '1mpx', '1mpx-rvt', 'pedro')
    for path in CONFIGS.glob(f'*/*e_{data}.py')
)
SIZES = {'event-digits': (128, 128), 'gen1': (240, 304), '1mpx': (720, 1280)}
RVT = {'gen1-rvt': (GEN1, (240, 304)), '1mpx-rvt': (MEGAPIXEL, (360, 640))}
QUICK = ('spiking_retinanet/spiking-retinanet_sg-r10-asd_fpn_1xb8-16e_event-digits.py',)


def write_pedro(root: Path, split: str) -> None:
    for folder in ('numpy', 'xml'):
        (root / folder / split).mkdir(parents=True, exist_ok=True)
    t = np.arange(0, 40_000, 100)
    events = np.stack([t, t % 346, t % 260, t // 100 % 2], axis=1)
    for name in ('frame1', 'frame2'):
        np.save(root / f'numpy/{split}/{name}.npy', events)
        (root / f'xml/{split}/{name}.xml').write_text(
            '<annotation><object><bndbox><xmin>3</xmin><ymin>4</ymin><xmax>90</xmax>'
            '<ymax>99</ymax></bndbox></object></annotation>'
        )


def test_all_data_sets_have_a_config() -> None:
    assert len(PATHS) == 9


@pytest.mark.parametrize('name', quick_first(PATHS, QUICK))
def test_training_and_testing(name: str, tmp_path: Path, monkeypatch) -> None:
    data = name.rpartition('_')[2].removesuffix('.py')
    root = tmp_path / 'data' / data.replace('-', '_')
    boxes = [box(t, w=60, h=70) for t in (600_000, 700_000)]
    for split in ('train', 'val', 'test'):
        if data == 'pedro':
            write_pedro(root, split)
        elif data in RVT:
            file, size = RVT[data]
            write_rvt(root / split / 'a', boxes, random_histograms(14, size), file)
        else:
            write_recording(root / split, 'a', boxes, SIZES[data], 800_000)
    monkeypatch.chdir(tmp_path)
    cfg = load(CONFIGS / name)
    shorten(cfg, Path('work'), 2)
    cfg.train_cfg.val_interval = 1
    if 'norm_cfg' in cfg.model.backbone:
        cfg.model.backbone.norm_cfg = dict(type='BN')
    cfg.model.test_cfg.score_thr = 0.0
    with separate_run():
        runner = Runner.from_cfg(cfg)
        runner.train()
        metrics = runner.test()
    assert runner.iter == 1
    assert 0 <= metrics['event_coco/mAP'] <= 1
    for label in runner.test_loop.dataloader.dataset.metainfo['classes']:
        assert f'event_coco/{label}_AP' in metrics
