"""Detections after each time step: the rule of stopping, and the command."""

import pytest
import torch
from mmengine.structures import InstanceData
from torch import nn

from mmsnn.analysis import CountingRules
from mmsnn.analysis.anytime import StoppingRule, measure_anytime
from mmsnn.analysis.energy.energy_models import find_energy_model
from mmsnn.models.neurons import IF


def found(*rows: tuple[float, int, float]) -> InstanceData:
    """Return detections from left edge, label and score; boxes are 10 x 10."""
    lefts, labels, scores = zip(*rows, strict=True) if rows else ((), (), ())
    left = torch.tensor(lefts, dtype=torch.float32)
    boxes = torch.stack([left, left * 0, left + 10, left * 0 + 10], dim=-1)
    return InstanceData(
        bboxes=boxes.view(-1, 4),
        labels=torch.tensor(labels, dtype=torch.int64),
        scores=torch.tensor(scores, dtype=torch.float32),
    )


A, B = (0, 1, 0.9), (50, 2, 0.5)


@pytest.mark.parametrize(
    ('some', 'others', 'same'),
    [
        ((A, B), (B, A), True),
        ((A, B), (A,), False),
        ((A,), (A, B), False),
        ((A, (50, 2, 0.1)), (A,), True),  # below the score
        ((A,), ((0, 2, 0.9),), False),  # another class
        ((A,), ((1, 1, 0.4),), True),  # IoU 9 / 11
        ((A,), ((2, 1, 0.4),), False),  # IoU 8 / 12
        ((A, (1, 1, 0.8)), (A, (30, 1, 0.8)), False),  # two for one
        ((), (), True),
    ],
)
def test_same_detections(some, others, same: bool) -> None:
    assert StoppingRule(0.3, 0.75).same(found(*some), found(*others)) == same


def test_no_images() -> None:
    model, costs = nn.Sequential(IF(num_steps=2)), find_energy_model('SG')
    with pytest.raises(ValueError, match='no images'):
        measure_anytime(model, [], lambda: None, costs, CountingRules(), StoppingRule())
