"""Exported steps compute what :func:`mmsnn.streaming.step` computes."""

import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from test_deploy.detectors import detector, session
from torch import Tensor, nn

from mmsnn.deploy.export.agreement import picture_of
from mmsnn.deploy.export.exporters import EXPORTERS
from mmsnn.deploy.export.step_export import (
    StepNetwork,
    export_step,
    rest_of,
    step_to_onnx,
)
from mmsnn.models import SGResNet, SpikeDecoder
from mmsnn.models.decoders import BaseDecoder
from mmsnn.models.neurons import build_neuron
from mmsnn.streaming import State, restart, step, stream_detections
from mmsnn.utils.errors import UserError

GUIDE = Path(__file__).resolve().parents[2] / 'docs' / 'export.md'


def network(decoder: str = 'ASD', **neuron: Any) -> nn.Module:
    """Return a backbone with a decoder that fires, in evaluation mode."""
    torch.manual_seed(0)
    backbone = SGResNet(
        depth=10,
        base_channels=8,
        num_steps=3,
        out_indices=(1,),
        neuron=dict(type='LIF', **neuron),
    )
    for module in backbone.modules():
        if isinstance(module, nn.BatchNorm2d):
            nn.init.constant_(module.bias, 2.0)
    return nn.Sequential(backbone, SpikeDecoder([16], 3, dict(type=decoder))).eval()


def frames(number: int = 5, items: int = 2) -> list[Tensor]:
    torch.manual_seed(1)
    return [torch.rand(items, 3, 32, 32) for _ in range(number)]


def stream(model: nn.Module, images: list[Tensor], restarts: int) -> Iterator[Any]:
    """Yield outputs and state of a stream whose first item begins again at a frame."""
    state: State | None = None
    for number, x in enumerate(images):
        if state is not None and number == restarts:
            first = torch.arange(len(x)) == 0
            state = restart(model, state, first)
        (output,), state = step(model, x, num_steps=1, state=state)
        yield output, state


@pytest.mark.parametrize('decoder', ['ASD', 'Rate'])
@pytest.mark.parametrize('v_reset', [0.0, None, -0.3])
@torch.no_grad()
def test_zeros_begin_a_stream(decoder: str, v_reset: float | None) -> None:
    model, images = network(decoder, v_reset=v_reset), frames()
    rest = rest_of(model, images[:1], 1)
    one = StepNetwork(model, 1, rest)
    states = [torch.zeros_like(value) for value in rest.values()]
    for number, (expected, state) in enumerate(stream(model, images, restarts=3)):
        if number == 3:
            states = [value.index_fill(0, torch.tensor(0), 0) for value in states]
        output, *states = one([images[number]], states)
        torch.testing.assert_close(output, expected)
        for key, value in zip(rest, states, strict=True):
            at_rest = rest[key].to(value.dtype)
            torch.testing.assert_close(value + at_rest, state[key])
    assert expected.any()


@torch.no_grad()
@pytest.mark.slow
def test_step_in_onnx() -> None:
    pytest.importorskip('onnx')
    pytest.importorskip('onnxruntime')
    torch.manual_seed(0)
    model = nn.Sequential(
        nn.Conv2d(3, 16, 3),
        build_neuron(dict(type='PLIF', v_reset=-0.2), 1),
        nn.Unflatten(0, (1, -1)),
        SpikeDecoderOfOne(),
    ).eval()
    nn.init.constant_(model[0].bias, 0.6)
    exported = step_to_onnx(model, dict(images=frames()[0]), ['features'])
    run = session(exported)
    given = {value.name: value for value in run.get_inputs()}
    assert list(given) == [
        'images',
        'before/1#0.v',
        'before/3.asd#0.count',
        'before/3.asd#0.memory',
    ]
    assert given['before/1#0.v'].shape == ['batch', 16, 30, 30]
    for items in (1, 3):
        images = frames(items=items)
        _, *names = given
        shapes = [[items, *given[name].shape[1:]] for name in names]
        kinds = [np.int64 if 'count' in name else np.float32 for name in names]
        values = list(map(np.zeros, shapes, kinds))
        expected = list(stream(model, images, restarts=9))
        for x, (features, state) in zip(images, expected, strict=True):
            feeds = {'images': x.numpy(), **dict(zip(names, values, strict=True))}
            found, *values = run.run(None, feeds)
            torch.testing.assert_close(torch.from_numpy(found), features[None][0])
            assert values[1].tolist() == state['3.asd#0.count'].tolist()


class SpikeDecoderOfOne(nn.Module):
    """A neck of one level whose input is a tensor."""

    def __init__(self) -> None:
        super().__init__()
        self.asd = SpikeDecoder([16], 3, dict(type='ASD')).decoders[0]

    def forward(self, x: Tensor) -> tuple[Tensor]:
        return (self.asd(x),)


class Unsteady(BaseDecoder):
    """A decoder that does not define how it streams."""

    def decode(self, spikes: Tensor) -> Tensor:
        return spikes.amax(0)


class Neck(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.decoder = Unsteady(16, 3)

    def forward(self, levels: tuple[Tensor, ...]) -> Tensor:
        return self.decoder(levels[0])


def test_what_cannot_stream_is_named() -> None:
    image = torch.rand(1, 3, 32, 32)
    with pytest.raises(UserError, match='Unsteady cannot stream'):
        model = nn.Sequential(network()[0], Neck())
        step_to_onnx(model.eval(), dict(images=image), ['features'])
    with pytest.raises(UserError, match='has no state'):
        step_to_onnx(nn.Conv2d(3, 4, 3), dict(images=image), ['features'])
    with pytest.raises(ValueError, match='num_steps'):
        step_to_onnx(network(), dict(images=image), ['features'], num_steps=0)


def batch_of(picture: np.ndarray) -> dict[str, Any]:
    from mmdet.structures import DetDataSample

    shape = picture.shape[:2]
    meta = dict(img_shape=shape, ori_shape=shape, scale_factor=(1.0, 1.0))
    planes = torch.from_numpy(picture[..., ::-1].transpose(2, 0, 1).copy())
    return dict(inputs=[planes], data_samples=[DetDataSample(metainfo=meta)])


def moving(number: int) -> list[np.ndarray]:
    """Return pictures of a texture that moves."""
    texture = np.random.default_rng(0).integers(0, 256, (12, 16, 3), np.uint8)
    return [
        np.asarray(Image.fromarray(np.roll(texture, i, 1)).resize((128, 96)))
        for i in range(number)
    ]


def test_regions_cannot_stream() -> None:
    cfg, model = detector('whole')
    with pytest.raises(UserError, match=r'bbox_head.*regions cannot stream'):
        export_step(model, cfg, batch_of(moving(1)[0]))
    verdict = EXPORTERS['onnx-step'].check(model, cfg, torch.rand(2, 3, 64, 96))
    assert not verdict.takes
    assert 'regions cannot stream' in verdict.reasons[0]


def test_picture_of_a_batch() -> None:
    (picture,) = moving(1)
    assert np.array_equal(picture_of(batch_of(picture)), picture)


@pytest.mark.slow
def test_program_of_the_guide_streams(tmp_path: Path) -> None:
    """A program without PyTorch detects frame by frame what PyTorch does."""
    torch.manual_seed(0)
    cfg, model = detector('RetinaNet')
    pictures = moving(4)
    exported = export_step(model, cfg, batch_of(pictures[0]))
    (tmp_path / 'step.onnx').write_bytes(exported.SerializeToString())
    for number, picture in enumerate(pictures):
        Image.fromarray(picture).save(tmp_path / f'{number}.png')
    blocks = re.findall(r'```python\n(.*?)```', GUIDE.read_text('utf-8'), re.DOTALL)
    (program,) = (block for block in blocks if 'state = dict(zip' in block)
    program += "\nassert not {'torch', 'mmsnn'} & {*sys.modules}\n"
    program = program.replace('score > 0.5', 'score > 0')
    words = [sys.executable, '-c', program, 'step.onnx']
    files = [f'{number}.png' for number in range(len(pictures))]
    ran = subprocess.run(
        [*words, *files], cwd=tmp_path, check=True, capture_output=True, text=True
    )
    found = re.split(r'\d\.png\n', ran.stdout)[1:]
    expected = stream_detections(model, map(batch_of, pictures))
    for printed, (sample,) in zip(found, expected, strict=True):
        numbers = re.findall(r'class (\d+), score (.*), box \[(.*)\]', printed)
        assert 0 < len(numbers) == len(sample.pred_instances)
        ours = torch.tensor(
            [[*map(float, (*one[:2], *one[2].split(',')))] for one in numbers]
        )
        theirs = sample.pred_instances
        theirs = torch.cat(
            [theirs.labels[:, None], theirs.scores[:, None], theirs.bboxes], 1
        )
        # printed boxes have one decimal
        distances = torch.cdist(
            ours, theirs, compute_mode='donot_use_mm_for_euclid_dist'
        )
        assert max(distances.amin(0).max(), distances.amin(1).max()) < 0.15
