"""A long stream needs no more memory than a short one."""

import ctypes
import gc
import resource
from pathlib import Path

import numpy as np
import pytest
from mmengine.config import Config
from torch import Tensor

from mmsnn.analysis.model_inputs import build_model
from mmsnn.datasets import EventDigitsDetection
from mmsnn.datasets.events.detection import write_dat
from mmsnn.inference import Detector, Source

SIZE = (32, 32)
STEPS = 4
DURATION = 1000
CONFIG = dict(
    default_scope='mmdet',
    model=dict(
        type='RetinaNet',
        data_preprocessor=dict(
            type='mmsnn.EventDetDataPreprocessor', num_steps=STEPS, channels=2
        ),
        backbone=dict(
            type='mmsnn.SGResNet',
            depth=10,
            base_channels=4,
            in_channels=2,
            num_steps=STEPS,
            out_indices=(1,),
        ),
        neck=dict(
            type='mmsnn.SpikeDecoder',
            decoder=dict(type='ASD', channel_reduction=2),
            in_channels=[8],
            num_steps=STEPS,
        ),
        bbox_head=dict(
            type='RetinaHead',
            num_classes=10,
            in_channels=8,
            feat_channels=8,
            stacked_convs=1,
            anchor_generator=dict(
                type='AnchorGenerator', ratios=[1.0], scales=[4], strides=[8]
            ),
            bbox_coder=dict(type='DeltaXYWHBBoxCoder'),
        ),
        test_cfg=dict(
            nms_pre=10,
            score_thr=0.0,
            nms=dict(type='nms', iou_threshold=0.5),
            max_per_img=5,
            min_bbox_size=0,
        ),
    ),
    test_dataloader=dict(
        dataset=dict(
            type='mmsnn.EventDigitsDetection',
            duration=DURATION,
            pipeline=[
                dict(type='mmsnn.LoadEventWindow', num_steps=STEPS),
                dict(type='mmsnn.PackEventDetInputs'),
            ],
        )
    ),
)


def live_tensors() -> int:
    gc.collect()
    return sum(type(thing) is Tensor for thing in gc.get_objects())


def resident_bytes() -> int:
    # what earlier tests have freed does not count
    ctypes.CDLL(None).malloc_trim(0)
    pages = int(Path('/proc/self/statm').read_text().split()[1])
    return pages * resource.getpagesize()


@pytest.mark.parametrize(
    ('first', 'last'), [(10, 50), pytest.param(1000, 10_000, marks=pytest.mark.slow)]
)
def test_memory_does_not_grow(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, first: int, last: int
) -> None:
    """From frame ``first`` to ``last`` no tensor is added, and less than 8 MiB."""
    monkeypatch.setattr(EventDigitsDetection, 'SENSOR_SIZE', SIZE)
    length = last * DURATION // STEPS
    t = np.linspace(0, length - 1, 10 * last).astype(np.int64)
    events = dict(t=t, x=t // 10 % SIZE[1], y=t // 70 % SIZE[0], p=t % 2)
    write_dat(tmp_path / 'long.dat', events, SIZE)
    cfg = Config(CONFIG)
    detector = Detector(cfg, build_model(cfg), stream=True)
    source = Source('events', tmp_path / 'long.dat', 'long.mp4')
    seen = []
    for detection in detector([source]):
        assert len(detection.instances)
        if detection.frame + 1 in (first, last):
            seen.append((live_tensors(), resident_bytes()))
    assert detector.failures == []
    (tensors, memory), (tensors_after, memory_after) = seen
    assert tensors_after <= tensors
    assert memory_after - memory < 8 * 2**20
