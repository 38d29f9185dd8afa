"""Files of no use, which the command lines of mistakes name."""

import json
import math
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import mmengine
import torch
from mmengine.config import Config
from test_datasets.event_files import write_dvs128_gesture

from .reports import write_narrow
from .tiny_coco import ATTENTIVE, CONFIGS, DIRECT, GATED, SPIKING

T1 = CONFIGS / 'imagenet' / 'danet-a-r18-t1_8xb32-amp-120e_imagenet.py'
TEXTS = {
    'a.py': "_base_ = ['./b.py']",
    'b.py': "_base_ = 'a.py'",
    'config.txt': 'model = 1',
    'bare.py': 'x = 1',
    'type.py': "model = dict(type='NoSuchModel')",
    'depth.py': "custom_imports = dict(imports=['mmsnn'])\n"
    "model = dict(type='mmsnn.SEWResNet', depth=20)",
    'pretrained.py': f"_base_ = '{SPIKING}'\nmodel = dict(backbone=dict("
    "init_cfg=dict(type='Pretrained', checkpoint='none.pth')))\n",
    'text.json': '{"loss": 1, "iter": 1}\nloss: 3\n',
    'list.json': '[1]\n',
    'short.json': '{"time": 1, "epoch": 1, "iter": 1}\n'
    '{"time": 1, "epoch": 2, "iter": 2}',
    'run/1/vis_data/scalars.json': '{"loss": 1, "time": 1, "epoch": 1, "iter": 1}\n'
    '{"coco/bbox_mAP": 0.1, "step": 1}',
    'untimed/1/vis_data/scalars.json': '{"loss": 1, "iter": 1}',
}
# Annotations and detections, right and wrong ones.
TRUTH = dict(
    images=[dict(id=7, width=40, height=40, file_name='a.png')],
    categories=[dict(id=1, name='cat', supercategory='animal')],
    annotations=[dict(id=1, image_id=7, category_id=1, bbox=[0, 0, 9, 9], area=81)],
)
FOUND = dict(image_id=7, category_id=1, bbox=[0, 0, 9, 9], score=0.9)
DETECTIONS: dict[str, Any] = {
    'ann': TRUTH,
    'objectless': {**TRUTH, 'annotations': []},
    'brace': {},
    'undetected': [],
    'found': [FOUND],
    'image': [FOUND | dict(image_id=8)],
    'category': [FOUND | dict(category_id=9)],
    'listed': [FOUND | dict(image_id=[1])],
    'nan': [FOUND | dict(score=math.nan)],
    'score': [FOUND | dict(score='1')],
    'box': [FOUND | dict(bbox=[0, 0, math.inf, 1])],
}


def label_of(true: int, predicted: int) -> dict[str, torch.Tensor]:
    """Return what tools/test.py --out dumps of a classified image."""
    return dict(pred_label=torch.tensor([predicted]), gt_label=torch.tensor([true]))


PREDICTIONS: dict[str, Any] = {
    'path': Path('a'),
    'dict': dict(a=1),
    'none': [],
    'other': [dict(a=1)],
    'detector': [dict(pred_instances=1)],
    'ten': [label_of(0, 10)],
    'negative': [label_of(0, -1)],
    'true': [label_of(-1, 0)],
    'nan': [label_of(0, 1) | dict(pred_score=torch.tensor([0.5, math.nan]))],
}


class _Touch:
    """Pickles to a call of a function: what safe loading is there to refuse."""

    def __reduce__(self) -> tuple[Callable[[str], int], tuple[str]]:
        return os.system, ('touch ran_from_a_checkpoint',)


def write_files(bad: Path) -> None:
    """Write the files above, checkpoints, and events of a data set."""
    for folder in ('empty', 'gone', 'rate'):
        (bad / folder).mkdir()
    for name, text in TEXTS.items():
        (bad / name).parent.mkdir(parents=True, exist_ok=True)
        (bad / name).write_text(text)
    for name, content in DETECTIONS.items():
        (bad / f'{name}.json').write_text(json.dumps(content))
    for name, content in PREDICTIONS.items():
        mmengine.dump(content, bad / f'{name}.pkl')
    (bad / 'broken.pkl').write_bytes(b'nothing')
    (bad / 'gone' / 'last_checkpoint').write_text(f'{bad}/gone/epoch_3.pth')
    weights = {'a.weight': torch.ones(2)}
    for name, content in {
        'other': {'state_dict': weights},
        'bare': weights,
        'unsafe': {'state_dict': {}, 'run': _Touch()},
    }.items():
        torch.save(content, bad / f'{name}.pth')
    write_dvs128_gesture(bad / 'set' / 'DvsGesture')


def write_configs(bad: Path) -> dict[str, Path]:
    """Write narrow configs, and return them by the names of the command lines."""
    plain = Config.fromfile(DIRECT)
    plain.model = dict(
        type='ImageClassifier',
        backbone=dict(type='ResNet_CIFAR', depth=18, base_channels=8, stem_channels=8),
        neck=dict(type='GlobalAveragePooling'),
        head=dict(type='LinearClsHead', num_classes=10, in_channels=64),
    )
    plain.dump(bad / 'plain.py')
    stem = dict(type='RateStem', kernel_size=3, stride=1, pool=False)
    return dict(
        att=write_narrow(bad, ATTENTIVE),
        gated=write_narrow(bad, GATED),
        direct=write_narrow(bad, DIRECT),
        t1=write_narrow(bad, T1),
        rate=write_narrow(bad / 'rate', DIRECT, stem=stem),
        plain=bad / 'plain.py',
    )
