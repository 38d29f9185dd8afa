"""The analysis tools of MMDetection's users: speeds, counts, data and logs."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from mmengine.dataset import BaseDataset
from PIL import Image
from test_datasets.event_files import write_dvs128_gesture

from mmsnn.datasets import make_digits_detection
from mmsnn.reporting.dataset_pictures import to_image

from .tiny_coco import ATTENTIVE as DIGITS
from .tiny_coco import CONFIGS, DETECTOR, Call, Fail

FLOPS, BROWSE, SPEED = 'get_flops', 'browse_dataset', 'benchmark'
GESTURE = CONFIGS / 'dvs128_gesture' / 'plain-7b_1xb16-amp-192e_dvs128-gesture.py'
VGG = """
default_scope = 'mmpretrain'
model = dict(
    type='ImageClassifier',
    backbone=dict(type='VGG', depth=11),
    neck=dict(type='GlobalAveragePooling'),
    head=dict(type='LinearClsHead', in_channels=512, num_classes=10),
    init_cfg=dict(type='Pretrained', checkpoint='missing.pth'),
)
test_dataloader = dict(
    dataset=dict(type='CIFAR10', pipeline=[dict(type='PackInputs')]),
    collate_fn=dict(type='default_collate'),
)
"""
pytestmark = pytest.mark.usefixtures('folder')


@pytest.fixture
def detector(folder: Path) -> Path:
    """A detector's config, and its data: 4 training images and 2 others."""
    make_digits_detection(num_train=4, num_val=2)
    return DETECTOR


# get_flops.py --------------------------------------------------------------------


def test_flops_of_vgg(folder: Path, call_tool: Call) -> None:
    """By hand; and no weights are needed to count."""
    (folder / 'vgg.py').write_text(VGG)
    printed, errors = call_tool(FLOPS, 'vgg.py', '--shape', 32)
    # channels in and out, and size, of the 3x3 convolutions
    layers = [(3, 64, 32), (64, 128, 16), (128, 256, 8), (256, 256, 8), (256, 512, 4)]
    layers += [(512, 512, 4), (512, 512, 2), (512, 512, 2)]
    convolutions = sum(9 * i * o * size**2 for i, o, size in layers)
    assert convolutions + 5120 == 152_769_536
    assert 'MACs:        152.8 M\n' in printed
    assert 'Parameters:  9.226 M\n' in printed
    assert 'Input shape: 3x32x32\n' in printed
    assert 'dense' not in errors


def test_flops_of_a_spiking_classifier(call_tool: Call) -> None:
    printed, errors = call_tool(FLOPS, DIGITS, '--table')
    assert 'Input shape: 3x8x8\n' in printed
    assert 'backbone.stages.0.0' in printed
    assert 'this is the dense count' in errors
    assert 'mmsnn energy' in errors
    assert 'Unsupported operator' not in printed + errors


def test_flops_of_a_detector(detector: Path, call_tool: Call) -> None:
    printed = call_tool(FLOPS, detector, '--shape', 64, 96).out
    assert 'Input shape: 3x64x96\n' in printed


@pytest.mark.parametrize(
    ('name', 'shape'),
    [
        ('cifar10/sg-r10-asd_1xb32-amp-200e_cifar10.py', '3x32x32'),
        ('fashion_mnist/sg-r10-asd_1xb64-8e_fashion-mnist.py', '1x28x28'),
        pytest.param(
            'dvs128_gesture/plain-7b_1xb16-amp-192e_dvs128-gesture.py',
            '16x2x128x128',
            marks=pytest.mark.slow,
        ),
    ],
)
def test_flops_need_no_data(
    name: str, shape: str, call_tool: Call, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(self: object, *args: object, **options: object) -> None:
        raise AssertionError('a data set was built')

    monkeypatch.setattr(BaseDataset, '__init__', fail)
    assert f'Input shape: {shape}\n' in call_tool(FLOPS, CONFIGS / name).out


# browse_dataset.py ---------------------------------------------------------------


def test_browse_detection(detector: Path, call_tool: Call) -> None:
    printed = call_tool(BROWSE, detector, '--num-images', 2, '--not-show').out
    out_dir = Path('work_dirs', DETECTOR.stem, 'browse/train')
    assert f'Saved 2 pictures of 4 in {out_dir}' in printed
    names = ['000000_000000.png', '000003_000003.png']
    assert sorted(path.name for path in out_dir.iterdir()) == names
    picture = np.asarray(Image.open(out_dir / names[0]), int)
    source = Image.open('data/digits_detection/train/000000.png').convert('RGB')
    # enlarged, the colours as they were but for the boxes and their names
    image = np.asarray(source.resize((384, 384), Image.Resampling.NEAREST), int)
    changed = np.abs(picture - image).max(axis=2) > 8
    assert 0.005 < changed.mean() < 0.3


def test_browse_classification(call_tool: Call) -> None:
    options = ['--phase', 'test', '--num-images', 3, '--output-dir', 'pictures']
    call_tool(BROWSE, DIGITS, *options)
    paths = sorted(Path('pictures').iterdir())
    assert [path.stem[:6] for path in paths] == ['000000', '000179', '000358']
    assert Image.open(paths[0]).size == (320, 320)


def test_browse_events(folder: Path, call_tool: Call, fail_tool: Fail) -> None:
    write_dvs128_gesture(folder / 'set' / 'DvsGesture')
    part = 'train_dataloader.dataset'
    options = [GESTURE, '--num-images', 1, '--output-dir', 'pictures']
    options += ['--cfg-options', f'{part}.data_root=set']
    # of them the training sees 12
    steps = f'{part}.pipeline.0.num_steps='
    line = fail_tool(BROWSE, *options, f'{steps}3')
    assert line.startswith('sample 0 of the train set cannot be prepared: ValueError: ')
    call_tool(BROWSE, *options, f'{steps}14')
    (path,) = Path('pictures').iterdir()
    # rows of 8 frames of 128 pixels and their borders, enlarged
    assert Image.open(path).size == (2 * 8 * 130, 2 * 2 * 130)


def test_pictures_of_arrays() -> None:
    frames = torch.zeros(9, 2, 4, 5)
    frames[0, 0, 1, 2] = frames[0, 1, 3, 4] = frames[1, :, 0, 0] = 3
    picture = to_image(frames, rgb=False)
    # 8 frames in the first row, with a border of a pixel around each
    assert picture.shape == (2 * 6, 8 * 7, 3)
    # the data sets' first channel is OFF
    assert picture[1 + 1, 1 + 2].tolist() == [0, 0, 255]
    assert picture[1 + 3, 1 + 4].tolist() == [255, 0, 0]
    assert picture[1, 7 + 1].tolist() == [0, 0, 0]
    assert (picture[1:5, 15:20] == 255).all()
    # of a detector: two bins of two polarities, summed
    events = torch.zeros(3, 4, 2, 2)
    events[0, 0, 0, 0] = events[1, 2, 0, 0] = events[2, 3, 1, 1] = 1
    summed = to_image(events, rgb=False, summed=True).astype(int)
    assert summed.shape == (2, 2, 3)
    assert summed[0, 0, 2] > summed[0, 0, 0] and summed[1, 1, 0] > summed[1, 1, 2]
    assert summed[0, 1].tolist() == [255] * 3
    blue = torch.tensor([200, 10, 0], dtype=torch.uint8).view(3, 1, 1)
    assert to_image(blue, rgb=False).tolist() == [[[0, 10, 200]]]
    assert to_image(blue, rgb=True).tolist() == [[[200, 10, 0]]]
    assert to_image(blue[:1], rgb=False).tolist() == [[[200, 200, 200]]]


# benchmark.py --------------------------------------------------------------------


def few(*options: object) -> list[object]:
    return ['--max-iter', 3, '--num-warmup', 1, '--work-dir', 'out', *options]


def saved() -> dict:
    return json.loads(Path('out/benchmark.json').read_text())


def test_speed_of_inference(detector: Path, call_tool: Call) -> None:
    options = few('--repeat-num', 2, '--batch-size', 2)
    printed = call_tool(SPEED, detector, *options).out
    result = saved()
    assert result['images_per_iteration'] == 2
    assert len(result['medians_ms']) == 2
    assert 0 < result['p5_ms'] <= result['median_ms'] <= result['p95_ms']
    assert result['images_per_s'] == pytest.approx(2000 / result['median_ms'])
    assert result['peak_memory_mib']['ram'] > 50
    assert 'repetition 2: ' in printed
    assert 'peak memory: RAM ' in printed


def test_batches_of_a_batch_sampler(call_tool: Call, fail_tool: Fail) -> None:
    sampler = 'test_dataloader.batch_sampler'
    options = few('--task', 'dataloader', '--cfg-options')
    line = fail_tool(SPEED, DIGITS, *options, f'{sampler}=x')
    assert 'test_dataloader of config' in line and 'mutually exclusive' in line
    kind = f'{sampler}.type=torch.utils.data.BatchSampler'
    options += [kind, f'{sampler}.drop_last=False', f'{sampler}.batch_size=7']
    call_tool(SPEED, DIGITS, *options)
    assert saved()['images_per_iteration'] == 7
    # it needs sizes of the images, which the data set does not state
    unfit = [f'{sampler}.type=mmdet.AspectRatioBatchSampler']
    options = few('--task', 'dataloader', '--cfg-options', *unfit)
    line = fail_tool(SPEED, DIGITS, *options)
    assert line.startswith('a batch cannot be loaded: KeyError: width')


def test_speed_of_data(detector: Path, call_tool: Call) -> None:
    train = ['--dataset-type', 'train']
    call_tool(SPEED, detector, *few(*train, '--task', 'dataset'))
    parts = saved()['parts_ms']
    names = ['LoadImageFromFile', 'LoadAnnotations', 'Resize', 'PackDetInputs']
    assert [name.split()[1] for name in parts] == ['get_data_info', *names]
    call_tool(SPEED, detector, *few(*train, '--task', 'dataloader'))
    assert saved()['images_per_iteration'] == 8
