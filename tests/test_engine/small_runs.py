"""A classifier and frames for runs of a few iterations, and what is looked at."""

import json
from pathlib import Path
from typing import Any

import mmpretrain  # noqa: F401
import torch
from mmengine.hooks import Hook
from mmengine.model import MMDistributedDataParallel
from mmengine.registry import MODELS, DefaultScope
from mmengine.runner import Runner
from mmpretrain.structures import DataSample
from torch import nn
from torch.utils.data import Dataset

STEPS = 4
SAMPLES, BATCH = 4, 2
RATE = dict(type='mmsnn.Rate')
BACKBONE = dict(type='mmsnn.SevenBNet', num_steps=STEPS, out_indices=(0,))
NO_EVALUATION = dict.fromkeys(('val_dataloader', 'val_cfg', 'val_evaluator'))


class Frames(Dataset):
    """Random frames, or images; the sample ``broken`` cannot be read."""

    def __init__(self, *shape: int, broken: int | None = None) -> None:
        generator = torch.Generator().manual_seed(0)
        self.inputs = 9 * torch.rand(SAMPLES, *shape, generator=generator)
        self.broken = broken

    def __len__(self) -> int:
        return SAMPLES

    def __getitem__(self, index: int) -> dict[str, Any]:
        if index == self.broken:
            raise OSError('a sample that cannot be read')
        sample = DataSample().set_gt_label(index % 2)
        return dict(inputs=self.inputs[index], data_samples=sample)


def make_loader(dataset: Dataset | None = None) -> dict[str, Any]:
    dataset = dataset or Frames(STEPS, 2, 8, 8)
    sampler = dict(type='DefaultSampler', shuffle=False)
    return dict(dataset=dataset, batch_size=BATCH, num_workers=0, sampler=sampler)


def evaluation(dataset: Dataset | None = None) -> dict[str, Any]:
    """Return the settings of validation and test."""
    settings: dict[str, Any] = {}
    for split in ('val', 'test'):
        settings[f'{split}_dataloader'] = make_loader(dataset)
        settings[f'{split}_cfg'] = {}
        settings[f'{split}_evaluator'] = dict(type='Accuracy', topk=(1,))
    return settings


def make_model(
    backbone: dict[str, Any] = BACKBONE, decoder: dict[str, Any] = RATE
) -> nn.Module:
    neck = dict(type='mmsnn.SpikeDecoder', in_channels=[32], num_steps=STEPS)
    loss = dict(type='CrossEntropyLoss')
    head = dict(type='LinearClsHead', num_classes=2, in_channels=32, loss=loss)
    cfg = dict(
        type='ImageClassifier',
        backbone=backbone,
        neck=[dict(neck, decoder=decoder), dict(type='GlobalAveragePooling')],
        head=dict(head, topk=(1,)),
    )
    torch.manual_seed(0)
    with DefaultScope.overwrite_default_scope('mmpretrain'):
        return MODELS.build(cfg)


class Spy(Hook):
    """Notes before and after each iteration what is registered on the model."""

    priority = 'LOWEST'

    def __init__(self) -> None:
        self.counts: list[tuple[int, int]] = []

    def before_train_iter(self, runner: Runner, *args: Any, **kwargs: Any) -> None:
        self.during = registered(runner.model)

    def after_train_iter(self, runner: Runner, *args: Any, **kwargs: Any) -> None:
        self.counts.append((self.during, registered(runner.model)))


def registered(model: nn.Module) -> int:
    """Return the number of hooks on the network inside a wrapper."""
    inner = model.module if isinstance(model, MMDistributedDataParallel) else model
    kinds = ('forward', 'forward_pre', 'backward', 'backward_pre')
    return sum(
        len(getattr(m, f'_{kind}_hooks')) for m in inner.modules() for kind in kinds
    )


def curves(folder: Path) -> dict[str, list[tuple[int, float]]]:
    """Return what is written of the runs of a folder: step and value, by curve."""
    found: dict[str, list[tuple[int, float]]] = {}
    for path in sorted(folder.glob('*/vis_data/scalars.json')):
        for line in path.read_text(encoding='utf-8').splitlines():
            entry = json.loads(line)
            for name in entry:
                found.setdefault(name, []).append((entry['step'], entry[name]))
    return found
