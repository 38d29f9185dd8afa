"""What models are fed with, of each source and for each kind of config."""

from pathlib import Path

import numpy as np
import pytest
import torch
from mmengine.config import Config
from PIL import Image
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


def narrow_classifier() -> Config:
    cfg = config(CLASSIFIER)
    cfg.merge_from_dict({'model.backbone.base_channels': 8})
    cfg.model.neck[0].in_channels = [64]
    cfg.model.head.in_channels = 64
    return cfg


def narrow_detector(name: str) -> Config:
    """A detector whose spiking backbone's stages have 16 to 128 channels."""
    cfg = config(name)
    channels = [16, 32, 64, 128]
    cfg.model.backbone.base_channels = 16
    for neck in cfg.model.neck:
        neck.in_channels = channels
    return cfg


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Four images, of which one is in a folder of its own, and a text."""
    (tmp_path / 'images' / 'deep').mkdir(parents=True)
    for name, color in (
        ('b.png', 'blue'), ('a.JPG', 'red'), ('c.bmp', 'lime'), ('deep/d.png', 'white'),
    ):  # fmt: skip
        Image.new('RGB', (40, 30), color).save(tmp_path / 'images' / name)
    (tmp_path / 'images' / 'notes.txt').write_text('not an image')
    return tmp_path / 'images'


@pytest.mark.parametrize(
    ('cfg', 'size'),
    [
        (narrow_classifier(), None),
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
        results = [len(model.test_step(batch)) for batch in batches]
    assert results == [2, 1]
    assert len(batches) == 2
    assert batches.num_images == batches.requested == 3
    if size is not None:
        images = [image for batch in batches for image in batch['inputs']]
        assert all(image.shape == (3, *size) for image in images)


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


def test_missing_data_set(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name, place in ((TWO_STAGES, 'coco'), (EVENTS, 'dvs128_gesture')):
        with pytest.raises(UserError, match=f'data/{place}/.*does not exist'):
            make_batches(config(name), InputSource(), 1)


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


@pytest.mark.parametrize('name', [DETECTOR, CIFAR])
def test_file_that_is_no_image(name: str, folder: Path) -> None:
    (folder / 'b.png').write_bytes(b'nothing')
    batches = make_batches(config(name), InputSource('folder', folder=folder), 4)
    with pytest.raises(UserError, match=r'b\.png. cannot be decoded'):
        list(batches)


def test_folder_without_images(folder: Path, tmp_path: Path) -> None:
    cfg = config(CLASSIFIER)
    (tmp_path / 'empty').mkdir()
    for path, message in (
        (tmp_path / 'empty', r'empty. holds no image: no file ends in \.bmp, .*\.webp'),
        (tmp_path / 'nowhere', 'nowhere. does not exist'),
        (folder / 'b.png', r'b\.png. is not a folder'),
    ):
        with pytest.raises(UserError, match=message):
            make_batches(cfg, InputSource('folder', folder=path), 1)


@pytest.mark.parametrize('name', [EVENTS, EVENT_DETECTOR])
def test_folder_for_an_event_model(name: str, folder: Path) -> None:
    with pytest.raises(UserError, match='is for event frames'):
        make_batches(config(name), InputSource('folder', folder=folder), 1)


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


def test_mistakes() -> None:
    cfg = config(CLASSIFIER)
    with pytest.raises(UserError, match='num_images must be at least 1, but got 0'):
        make_batches(cfg, RANDOM, 0)
    with pytest.raises(UserError, match='batch_size must be at least 1, but got -1'):
        make_batches(cfg, RANDOM, 1, -1)
    with pytest.raises(ValueError, match='kind must be one of'):
        InputSource('noise')
    with pytest.raises(ValueError, match="a folder belongs to kind 'folder'"):
        InputSource('folder')
    with pytest.raises(ValueError, match="a size belongs to kind 'random'"):
        InputSource('dataset', size=(8, 8))
    with pytest.raises(ValueError, match='size must be at least 1, but got 0'):
        InputSource('random', size=(8, 0))
    base = config('_base_/datasets/digits.py')
    with pytest.raises(UserError, match=r'digits.py. cannot be analysed: .* model$'):
        build_model(base)


def test_checkpoint(tmp_path: Path) -> None:
    cfg = narrow_classifier()
    model = build_model(cfg)
    file = str(tmp_path / 'all.pth')
    torch.save({'state_dict': model.state_dict()}, file)
    loaded = build_model(cfg, file, warn=pytest.fail)
    for name, value in loaded.state_dict().items():
        assert torch.equal(value, model.state_dict()[name]), name

    cfg.model.head.num_classes = 7
    cfg.model.head.topk = (1,)
    warnings: list[str] = []
    build_model(cfg, file, warn=warnings.append)
    assert len(warnings) == 1
    assert 'head.fc.weight ([10, 64] in place of [7, 64])' in warnings[0]
    assert 'head.fc.bias' in warnings[0]

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


def test_model_that_cannot_be_built() -> None:
    cfg = narrow_classifier()
    cfg.model.backbone.depth = 11
    with pytest.raises(UserError, match='cannot be built: depth'):
        build_model(cfg)
