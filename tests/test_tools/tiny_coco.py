"""A tiny data set in COCO's real layout, and a tool run as a user runs it."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from mmdet.datasets import CocoDataset
from PIL import Image

ROOT = Path(__file__).resolve().parents[2]
TOOLS = ROOT / 'tools'
CONFIGS = ROOT / 'configs'
ANN = CONFIGS / 'retinanet' / 'retinanet_r18_fpn_8xb2-amp-72e_coco.py'
SPIKING = (
    CONFIGS / 'spiking_retinanet/spiking-retinanet_sg-r18-asd_fpn_8xb2-amp-72e_coco.py'
)
# A detector and classifiers of the bundled digits.
DETECTOR = (
    CONFIGS / 'spiking_retinanet/spiking-retinanet_sg-r10-asd_fpn_1xb8-8e_digits.py'
)
ATTENTIVE = CONFIGS / 'digits/sg-r10-asd_1xb64-30e_digits.py'
GATED = CONFIGS / 'digits/gac-ms-r10-rate_1xb64-30e_digits.py'
DIRECT = CONFIGS / 'digits/sew-add-r10-rate_1xb64-30e_digits.py'


class Printed(NamedTuple):
    """What a tool prints."""

    out: str
    err: str


Call = Callable[..., Printed]
Fail = Callable[..., str]
# An epoch of the real pipeline at a size that a CPU does in seconds.
SMALL = [
    'train_cfg.max_epochs=1',
    'train_dataloader.num_workers=0',
    'train_dataloader.persistent_workers=False',
    'train_dataloader.dataset.pipeline.2.scale=(128,96)',
    'val_dataloader.num_workers=0',
    'val_dataloader.persistent_workers=False',
    'val_dataloader.dataset.pipeline.1.scale=(128,96)',
    'test_dataloader.num_workers=0',
    'test_dataloader.persistent_workers=False',
    'test_dataloader.dataset.pipeline.1.scale=(128,96)',
    'randomness.seed=0',
]
# A spiking RetinaNet that takes as little.
NARROW = [
    *SMALL,
    'model.backbone.base_channels=16',
    'model.neck.0.in_channels=[32,64,128]',
    'model.neck.1.in_channels=[32,64,128]',
    'model.neck.1.out_channels=32',
    'model.bbox_head.in_channels=32',
    'model.bbox_head.feat_channels=32',
    'model.bbox_head.stacked_convs=1',
]
# An untrained detector is sure of nothing: without this it would detect nothing.
DETECT = 'model.test_cfg.score_thr=0.0'
# COCO's 80 classes have ids up to 90.
UNUSED_IDS = {12, 26, 29, 30, 45, 66, 68, 69, 71, 83}


def _annotation(
    image_id: int, size: list[int], box: list[int], crowd: bool, number: int
) -> dict:
    x, y, w, h = box
    polygon = [[x, y, x + w, y, x + w, y + h, x, y + h]]
    # All zeros and then no ones: an empty, but valid, run-length code of the image.
    rle = {'counts': [120 * 160], 'size': size}
    return {
        'id': 100 * image_id + number,
        'image_id': image_id,
        'category_id': 1 + number,
        'bbox': box,
        'area': w * h,
        'iscrowd': int(crowd),
        'segmentation': rle if crowd else polygon,
    }


def write_coco(root: Path) -> None:
    """Write 4 training and 2 validation images, with small to large objects."""
    rng = np.random.default_rng(0)
    ids = [number for number in range(1, 91) if number not in UNUSED_IDS]
    names = CocoDataset.METAINFO['classes']
    categories = [
        {'id': number, 'name': name, 'supercategory': 'thing'}
        for number, name in zip(ids, names, strict=True)
    ]
    (root / 'annotations').mkdir(parents=True)
    for split, count, first in (('train2017', 4, 9), ('val2017', 2, 139)):
        (root / split).mkdir()
        images, annotations = [], []
        for image_id in range(first, first + count):
            width, height = (160, 120) if image_id % 2 else (120, 160)
            pixels = rng.integers(0, 256, (height, width, 3), dtype=np.uint8)
            name = f'{image_id:012d}.jpg'
            Image.fromarray(pixels).save(root / split / name)
            images.append(
                {'id': image_id, 'file_name': name, 'width': width, 'height': height}
            )
            boxes = [[8, 8, 100, 98], [20, 30, 60, 50], [64, 64, 20, 24]]
            # The last training image has no object: the data set must leave it out.
            if (split, image_id) != ('train2017', first + 3):
                annotations += [
                    _annotation(image_id, [height, width], box, number == 2, number)
                    for number, box in enumerate(boxes)
                ]
        content = {
            'info': {},
            'licenses': [],
            'images': images,
            'annotations': annotations,
            'categories': categories,
        }
        path = root / 'annotations' / f'instances_{split}.json'
        path.write_text(json.dumps(content))


def run_tool(
    name: str, *args: Any, cwd: Path, **variables: str
) -> subprocess.CompletedProcess[str]:
    """Run a tool as a user does: in a process of its own, from any folder."""
    environment = {
        key: value for key, value in os.environ.items() if key != 'PYTHONPATH'
    }
    environment |= {
        'CUDA_VISIBLE_DEVICES': '',
        'OMP_NUM_THREADS': '1',
        'PYTHON': sys.executable,
        **variables,
    }
    command = [str(TOOLS / name), *map(str, args)]
    if name.endswith('.py'):
        command.insert(0, sys.executable)
    return subprocess.run(
        command,
        cwd=cwd,
        env=environment,
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )
