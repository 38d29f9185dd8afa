"""Whole detectors stream."""

from typing import Any

import pytest
import torch
from mmdet.registry import MODELS
from mmdet.structures import DetDataSample
from mmdet.utils import register_all_modules
from mmengine.config import Config
from mmengine.registry import DefaultScope
from test_models.helpers import calibrate
from test_models.test_detector import retinanet, spiking_parts
from test_models.test_whole_detector import build, config
from torch import Tensor

from mmsnn.streaming import step, stream_detections

SIZE = 64


def detector(name: str) -> Any:
    """Return a detector in evaluation mode that detects something."""
    register_all_modules(init_default_scope=False)
    torch.manual_seed(0)
    with DefaultScope.overwrite_default_scope('mmdet'):
        if name in ('ASD', 'Rate'):
            cfg = Config(dict(model=retinanet(spiking_parts(dict(type=name)))))
            model = MODELS.build(cfg.model)
            model.init_weights()
            calibrate(model.backbone, torch.randn(2, 3, SIZE, SIZE))
        else:
            model = build({**config(name, 'PLIF')})
    return model.eval()


def chunk(seed: int = 0, **extra: Any) -> dict[str, Any]:
    torch.manual_seed(seed)
    images = [torch.randint(0, 256, (3, SIZE, SIZE)).float() for _ in range(2)]
    meta = dict(img_shape=(SIZE, SIZE), ori_shape=(SIZE, SIZE), scale_factor=(1.0, 1.0))
    samples = [DetDataSample(metainfo=dict(img_id=i, **meta)) for i in range(2)]
    return dict(inputs=images, data_samples=samples, **extra)


def scores(samples: list[Any]) -> Tensor:
    return torch.cat([sample.pred_instances.scores for sample in samples])


@pytest.mark.parametrize('name', ['ASD', 'Rate', 'SpikingRetinaHead'])
@torch.no_grad()
def test_steps_equal_a_call(name: str) -> None:
    model = detector(name)
    steps = [scores(x) for x in stream_detections(model, [chunk()] * 3)]
    (three,) = stream_detections(model, [chunk()], num_steps=3)
    assert torch.equal(steps[2], scores(three))
    assert len(steps[2]) and not torch.equal(steps[0], steps[2])
    if name in ('ASD', 'Rate'):  # built for 3 steps
        torch.testing.assert_close(steps[2], scores(model.test_step(chunk())))


def test_items_restart() -> None:
    model = detector('ASD')
    first = torch.tensor([True, False])
    fresh, on = stream_detections(model, [chunk(), chunk(1)])
    _, mixed = stream_detections(model, [chunk(), chunk(1, restart=first)])
    (begun,) = stream_detections(model, [chunk(1)])
    assert torch.equal(scores(mixed[:1]), scores(begun[:1]))
    assert torch.equal(scores(mixed[1:]), scores(on[1:]))
    assert not torch.equal(scores(fresh), scores(on))


def test_a_stream_has_one_batch_size() -> None:
    model = detector('Rate')
    three = dict(chunk())
    three = {key: value + value[:1] for key, value in three.items()}
    with pytest.raises(ValueError, match=r'has shape \[2'):
        list(stream_detections(model, [chunk(), three]))
    with pytest.raises(ValueError, match='num_steps'):
        step(model, num_steps=-1)
    with pytest.raises(ValueError, match='regions cannot stream'):
        list(stream_detections(detector('two stages'), [chunk()]))
