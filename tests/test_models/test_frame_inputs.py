"""MMDetection's preprocessor refuses event frames, and nothing else."""

from typing import Any

import pytest
import torch
from mmdet.models import DetDataPreprocessor
from mmdet.structures import DetDataSample
from mmengine.model import ImgDataPreprocessor
from mmpretrain.models import ClsDataPreprocessor

from mmsnn.models.frame_inputs import refuse_frames
from mmsnn.utils.errors import UserError

FRAMES = torch.rand(4, 2, 64, 48)


def batch(*inputs: torch.Tensor) -> dict[str, Any]:
    samples = [DetDataSample(metainfo=dict(img_shape=x.shape[-2:])) for x in inputs]
    return dict(inputs=list(inputs), data_samples=samples)


@pytest.mark.parametrize('training', [True, False])
def test_frames_are_refused(training: bool) -> None:
    with pytest.raises(UserError, match=r'DetDataPreprocessor.*\[4, 2, 64, 48\]'):
        DetDataPreprocessor()(batch(FRAMES), training)


def test_derived_preprocessors_refuse_too() -> None:
    class Derived(DetDataPreprocessor):
        pass

    with pytest.raises(UserError, match='Derived'):
        Derived().forward(data=batch(FRAMES))


def test_images_are_as_before() -> None:
    """Also where the check is asked for twice."""
    refuse_frames()
    data = DetDataPreprocessor(pad_size_divisor=32)(batch(torch.rand(3, 60, 33)))
    assert data['data_samples'][0].pad_shape == (64, 64)
    assert data['inputs'].shape == (1, 3, 64, 64)


@pytest.mark.parametrize('kind', [ImgDataPreprocessor, ClsDataPreprocessor])
def test_other_preprocessors_take_frames(kind: type) -> None:
    data = kind()(dict(inputs=[FRAMES]))
    assert torch.equal(data['inputs'][0], FRAMES)
