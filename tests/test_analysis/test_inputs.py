"""What models are fed with, of each source and for each kind of config."""

from pathlib import Path

import numpy as np
import pytest
import torch
from mmengine.config import Config
from PIL import Image
from test_configs.narrow import narrow
from test_tools.tiny_coco import CONFIGS, write_coco

from mmsnn.analysis.model_inputs import (
    InputSource,
    build_model,
    make_batches,
    make_file_batches,
)
from mmsnn.datasets.events.detection import write_dat
from mmsnn.datasets.transforms import FrameLoader
from mmsnn.utils.errors import UserError

CLASSIFIER = 'digits/sg-r10-asd_1xb64-30e_digits.py'
DETECTOR = 'spiking_retinanet/spiking-retinanet_sg-r10-asd_fpn_1xb8-8e_digits.py'
TWO_STAGES = (
    'spiking_faster_rcnn/spiking-faster-rcnn_sg-r18-asd_fpn_8xb2-amp-72e_coco.py'
)
SPIKING = 'spiking_retinanet/spiking-retinanet_sg-{}-asd_fpn'
EVENTS = 'dvs128_gesture/sew-add-7b_1xb16-amp-192e_dvs128-gesture.py'
EVENT_DETECTOR = (
    'spiking_retinanet/spiking-retinanet_sg-r10-asd_fpn_1xb8-16e_event-digits.py'
)
IMAGENET = 'imagenet/sg-r18-asd_8xb32-amp-320e_imagenet.py'
CIFAR = 'cifar10/sg-r10-asd_1xb32-amp-200e_cifar10.py'
GREY = 'fashion_mnist/sg-r10-asd_1xb64-8e_fashion-mnist.py'
RANDOM = InputSource('random')


def config(name: str) -> Config:
    return Config.fromfile(CONFIGS / name)


def narrow_detector(name: str) -> Config:
    """A detector whose spiking backbone's stages have 16 to 128 channels."""
    cfg = config(name)
    channels = [16, 32, 64, 128]
    cfg.model.backbone.base_channels = 16
    for neck in cfg.model.neck:
        neck.in_channels = channels
    return cfg


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Four images, of which one is in a folder of its own, and a text.

    The current folder also has one without images, and one with a broken image.
    """
    for name in ('images/deep', 'empty', 'broken'):
        (tmp_path / name).mkdir(parents=True)
    for name, color in (
        ('b.png', 'blue'), ('a.JPG', 'red'), ('c.bmp', 'lime'), ('deep/d.png', 'white'),
    ):  # fmt: skip
        Image.new('RGB', (40, 30), color).save(tmp_path / 'images' / name)
    (tmp_path / 'images' / 'notes.txt').write_text('not an image')
    (tmp_path / 'broken' / 'b.png').write_bytes(b'nothing')
    monkeypatch.chdir(tmp_path)
    return tmp_path / 'images'


@pytest.mark.parametrize(
    ('cfg', 'size'),
    [
        (config(CLASSIFIER), None),
        (narrow_detector(DETECTOR), (64, 96)),
        (narrow_detector(TWO_STAGES), (64, 96)),
    ],
    ids=['classifier', 'RetinaNet', 'Faster R-CNN'],
)
def test_models_take_batches(cfg: Config, size: tuple[int, int] | None) -> None:
    batches = make_batches(cfg, InputSource('random', size=size), 3, batch_size=2)
    model = build_model(cfg)
    assert not model.training
    with torch.no_grad():
        assert [len(model.test_step(batch)) for batch in batches] == [2, 1]
    assert (len(batches), batches.num_images, batches.requested) == (2, 3, 3)
    images = [image for batch in batches for image in batch['inputs']]
    assert all(image.shape == (3, *(size or (8, 8))) for image in images)


@pytest.mark.parametrize(
    ('name', 'shape'),
    [
        (CLASSIFIER, (3, 8, 8)),
        (DETECTOR, (3, 128, 128)),
        (TWO_STAGES, (3, 800, 1333)),
        (IMAGENET, (3, 224, 224)),
        (CIFAR, (3, 32, 32)),
        (GREY, (1, 28, 28)),
        (EVENTS, (16, 2, 128, 128)),
    ],
)
def test_noise_is_of_the_configs_size(name: str, shape: tuple[int, ...]) -> None:
    (batch,) = make_batches(config(name), RANDOM, 1)
    assert batch['inputs'][0].shape == shape


def test_size_is_width_first_as_in_mmcv() -> None:
    cfg = config(CIFAR)
    pipeline = cfg.test_dataloader.dataset.pipeline
    pipeline.insert(0, dict(type='CenterCrop', crop_size=(24, 16)))
    (batch,) = make_batches(cfg, RANDOM, 1)
    assert batch['inputs'][0].shape == (3, 16, 24)


def test_noise_depends_on_the_seed_only() -> None:
    cfg = config(CLASSIFIER)

    def images(batch_size: int, seed: int) -> torch.Tensor:
        batches = make_batches(cfg, RANDOM, 5, batch_size, seed)
        first, second = (torch.cat([b['inputs'] for b in batches]) for _ in range(2))
        assert torch.equal(first, second)
        return first

    before = torch.get_rng_state()
    assert torch.equal(images(1, 0), images(3, 0))
    assert not torch.equal(images(1, 0), images(1, 1))
    assert len({image.numpy().tobytes() for image in images(1, 0)}) == 5
    assert torch.equal(torch.get_rng_state(), before)


def test_made_up_targets_fit_the_model() -> None:
    cfg = narrow_detector(DETECTOR)
    batches = make_batches(cfg, InputSource('random', size=(64, 96)), 8, batch_size=8)
    assert batches.made_up
    (batch,) = batches
    for sample in batch['data_samples']:
        boxes = sample.gt_instances.bboxes.tensor
        assert (boxes[:, :2] < boxes[:, 2:]).all()
        assert (boxes >= 0).all()
        assert (boxes <= torch.tensor([96, 64, 96, 64])).all()
    labels = torch.cat([s.gt_instances.labels for s in batch['data_samples']])
    assert len(labels.unique()) > 3
    assert labels.max() < 10
    model = build_model(cfg)
    losses = model(**model.data_preprocessor(batch), mode='loss')
    assert all(sum(loss) > 0 for loss in losses.values())


def test_test_set_is_spread_evenly() -> None:
    cfg = config(CLASSIFIER)
    batches = make_batches(cfg, InputSource(), 3)
    everything = torch.cat([b['inputs'] for b in make_batches(cfg, InputSource(), 999)])
    assert len(everything) == 359
    for batch, index in zip(batches, (0, 119, 239), strict=True):
        assert torch.equal(batch['inputs'][0], everything[index])
    assert batches.source.startswith('3 of the 359 of')
    assert not batches.made_up


def test_fewer_images_than_asked_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    write_coco(tmp_path / 'data' / 'coco')
    monkeypatch.chdir(tmp_path)
    cfg = config(TWO_STAGES)
    batches = make_batches(cfg, InputSource(), 8, batch_size=3)
    assert (batches.num_images, batches.requested, len(batches)) == (2, 8, 1)
    (batch,) = batches
    assert len(batch['inputs']) == 2
    # pycocotools' chatter is not among a tool's results
    assert not capfd.readouterr().out
    next(Path('data/coco/val2017').iterdir()).unlink()
    with pytest.raises(UserError, match=r'000000000139\.jpg. does not exist'):
        list(batches)


@pytest.mark.parametrize(
    ('name', 'source', 'message'),
    [
        (TWO_STAGES, None, 'data/coco/.*does not exist'),
        (EVENTS, None, 'data/dvs128_gesture/.*does not exist'),
        (EVENTS, 'images', 'takes event frames'),
        (EVENT_DETECTOR, 'images', 'takes event frames'),
        (CLASSIFIER, 'empty', r'empty. contains no images: .* \.bmp, .*\.webp'),
        (CLASSIFIER, 'nowhere', 'nowhere. does not exist'),
        (CLASSIFIER, 'images/b.png', r'b\.png. is not a folder'),
        (DETECTOR, 'broken', r'b\.png. cannot be decoded'),
        (CIFAR, 'broken', r'b\.png. cannot be decoded'),
    ],
)
def test_images_that_are_not_there(
    name: str, source: str | None, message: str, folder: Path
) -> None:
    images = InputSource('folder', folder=Path(source)) if source else InputSource()
    with pytest.raises(UserError, match=message):
        batches = make_batches(config(name), images, 1)
        assert source == 'broken'  # all else is found at once
        list(batches)


def test_folder_goes_through_the_test_pipeline(folder: Path) -> None:
    cfg = config(DETECTOR)
    batches = make_batches(cfg, InputSource('folder', folder=folder), 8)
    samples = [batch['data_samples'][0] for batch in batches]
    assert [Path(sample.img_path).name for sample in samples] == [
        'a.JPG', 'b.png', 'c.bmp', 'd.png',
    ]  # fmt: skip
    assert {sample.ori_shape for sample in samples} == {(30, 40)}
    assert {sample.img_shape for sample in samples} == {(96, 128)}
    assert batches.source == f'4 of the 4 in {folder}'
    blue = list(batches)[1]['inputs'][0]
    # as MMDetection's pipelines load: blue first, which its preprocessor turns round
    assert blue[:, 0, 0].tolist() == [255, 0, 0]


@pytest.mark.parametrize(
    ('name', 'pixel', 'size'),
    [(CIFAR, [0, 0, 255], 32), (CLASSIFIER, [0, 0, 255], 8), (GREY, [29], 28)],
)
def test_folder_for_models_of_images_in_memory(
    name: str, pixel: list[int], size: int, folder: Path
) -> None:
    batches = make_batches(config(name), InputSource('folder', folder=folder), 4, 4)
    (batch,) = batches
    assert batch['inputs'].shape == (4, len(pixel), size, size)
    assert batch['inputs'][1, :, 0, 0].tolist() == pixel


class LoadPolarities(FrameLoader):
    """A loader of another package, of three frames with as many channels as asked."""

    num_steps = 3

    def __init__(self, channels: int) -> None:
        self.num_channels = channels

    def load(self, results: dict) -> np.ndarray:
        raise AssertionError('no file is read')

    def add_frames(self, results: dict, frames: np.ndarray) -> dict:
        return {**results, 'frames': frames.astype(np.uint8)}


class FrameSize:
    output_size = (6, 7)


def test_noise_for_an_outside_loader() -> None:
    cfg = config(EVENTS)
    dataset = cfg.test_dataloader.dataset
    dataset.pipeline[0] = dict(type=LoadPolarities, channels=5)
    (batch,) = make_batches(cfg, RANDOM, 1)
    # DVS128 Gesture states its size
    assert batch['inputs'][0].shape == (3, 5, 128, 128)
    assert batch['inputs'][0].dtype == torch.uint8
    dataset.pipeline.insert(1, dict(type=FrameSize))
    (batch,) = make_batches(cfg, RANDOM, 1)
    assert batch['inputs'][0].shape == (3, 5, 6, 7)


@pytest.mark.parametrize(
    ('name', 'shape', 'duration'),
    [
        (EVENTS, (16, 2, 128, 128), None),
        (
            SPIKING.format('r10') + '_1xb8-16e_event-digits.py',
            (4, 4, 128, 128),
            100_000,
        ),
        (SPIKING.format('r18') + '_8xb8-12e_gen1.py', (5, 4, 240, 304), 100_000),
        (SPIKING.format('r18') + '_8xb8-12e_pedro.py', (5, 4, 260, 346), 40_000),
    ],
)
def test_recordings_of_event_models(
    tmp_path: Path, name: str, shape: tuple[int, ...], duration: int | None
) -> None:
    t = np.concatenate([np.arange(0, 10**6, 10_000), np.arange(500_000, 530_000, 100)])
    t.sort()
    events = dict(t=t, x=t % 128, y=t % 127, p=t // 100 % 2)
    write_dat(tmp_path / 'a.dat', events, (128, 128))
    (noise,) = make_batches(config(name), RANDOM, 1)
    assert noise['inputs'][0].shape == shape
    (batch,) = make_file_batches(config(name), [tmp_path / 'a.dat'])
    assert batch['inputs'][0].shape == shape
    if duration is None:
        assert batch['inputs'][0].sum() == len(t)
        return
    begin, end = batch['data_samples'][0].window
    inside = (t >= begin) & (t < end)
    assert end - begin == duration and inside.sum() == batch['inputs'][0].sum() > 300


def test_checkpoint(tmp_path: Path) -> None:
    cfg = config(CLASSIFIER)
    narrow(cfg)
    model = build_model(cfg)
    file = str(tmp_path / 'all.pth')
    torch.save({'state_dict': model.state_dict()}, file)
    loaded = build_model(cfg, file, warn=pytest.fail).state_dict()
    assert all(torch.equal(loaded[k], value) for k, value in model.state_dict().items())

    cfg.merge_from_dict({'model.head.num_classes': 7, 'model.head.topk': (1,)})
    warnings: list[str] = []
    build_model(cfg, file, warn=warnings.append)
    (warning,) = warnings
    assert 'head.fc.weight ([10, 128] in place of [7, 128])' in warning
    assert 'head.fc.bias' in warning

    torch.save({'state_dict': {'other.weight': torch.ones(3)}}, file)
    with pytest.raises(UserError, match=r'all\.pth. fits no parameter of the model'):
        build_model(cfg, file)
    with pytest.raises(UserError, match=r'none\.pth. does not exist'):
        build_model(cfg, str(tmp_path / 'none.pth'))


def test_preprocessor_is_the_configs() -> None:
    cfg = config(CIFAR)
    model = build_model(cfg)
    mean = np.array(cfg.data_preprocessor.mean, dtype=np.float32)
    assert np.array_equal(model.data_preprocessor.mean.flatten().numpy(), mean)
