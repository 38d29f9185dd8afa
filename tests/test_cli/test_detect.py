"""``mmsnn detect``: pictures, videos and cameras through the shipped detector."""

import contextlib
import io
import re
import shlex
from collections.abc import Callable
from copy import deepcopy
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import torch
from mmdet.apis import inference_detector, init_detector
from PIL import Image
from pycocotools.coco import COCO

from mmsnn.analysis.model_inputs import build_model
from mmsnn.cli.common.shipped import DETECTOR
from mmsnn.cli.detect import split_words
from mmsnn.cli.main import make_parser
from mmsnn.datasets import make_digits_detection
from mmsnn.inference.detector import Detector
from mmsnn.inference.picture_sources import Source, Stream, find_sources
from mmsnn.utils.config_files import load_config
from mmsnn.utils.errors import UserError
from mmsnn.utils.shipped_configs import find_config, shipped_weights

Call = Callable[..., int]
OUT = Path('work_dirs/detect')


@pytest.fixture(scope='module')
def digits(tmp_path_factory: pytest.TempPathFactory) -> list[np.ndarray]:
    """Four validation images of the digits detection set, BGR."""
    root = tmp_path_factory.mktemp('digits') / 'set'
    make_digits_detection(root, num_train=1, num_val=4)
    return [cv2.imread(str(path)) for path in sorted(root.glob('val/*.png'))]


@pytest.fixture(scope='module')
def reference() -> Any:
    """The detector as MMDetection builds it."""
    config, weights = find_config(DETECTOR), shipped_weights(DETECTOR)
    return init_detector(config, weights, device='cpu')


def write_video(
    path: Path, frames: list[np.ndarray], fps: float = 12, codec: str = 'mp4v'
) -> None:
    size = frames[0].shape[1::-1]
    video = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*codec), fps, size)
    for frame in frames:
        video.write(frame)
    video.release()


def read_video(path: Path) -> tuple[float, list[np.ndarray]]:
    video = Stream(Source('video', path, path.name))
    return video.fps, list(video)


def results(folder: Path = OUT) -> tuple[list[dict], list[dict]]:
    """Return the images and the boxes, read as COCO's tools do."""
    with contextlib.redirect_stdout(io.StringIO()):
        truth = COCO(folder / 'images.json')
        loaded = truth.loadRes(str(folder / 'results.json'))
    assert {item['image_id'] for item in loaded.anns.values()} <= truth.imgs.keys()
    return list(truth.imgs.values()), list(loaded.anns.values())


def check_boxes(found: list[dict], model: Any, picture: Any) -> None:
    """Compare the boxes with those of MMDetection's own inference."""
    cfg = model.cfg
    # it changes the test pipeline for arrays
    model.cfg = deepcopy(cfg)
    expected = inference_detector(model, picture).pred_instances.numpy()
    model.cfg = cfg
    assert [item['score'] for item in found] == pytest.approx(expected.scores, abs=1e-5)
    assert [item['category_id'] - 1 for item in found] == expected.labels.tolist()
    corners = np.array([item['bbox'] for item in found])
    corners[:, 2:] += corners[:, :2]
    assert corners == pytest.approx(expected.bboxes, abs=1e-2)


def test_a_folder(detect: Call, digits, reference, capsys, tmp_path) -> None:
    folder = tmp_path / 'in'
    (folder / 'sub').mkdir(parents=True)
    Image.fromarray(digits[0][..., ::-1]).save(folder / 'a.png')
    Image.fromarray(digits[1][..., ::-1]).save(folder / 'sub' / 'a.png')
    (folder / 'broken.jpg').write_text('no image')
    (folder / 'notes.txt').write_text('')
    assert detect(folder, '--spikes') == 1
    printed = capsys.readouterr()
    assert 'broken.jpg' in printed.err.splitlines()[-1]
    assert '2 pictures' in printed.out
    images, boxes = results()
    names = [str(folder / name) for name in ('a.png', 'sub/a.png')]
    assert [image['file_name'] for image in images] == names
    for number, name in enumerate(names, 1):
        check_boxes([b for b in boxes if b['image_id'] == number], reference, name)
    for kind in ('pictures', 'spikes'):
        first, second = (OUT / kind / name for name in ('a.png', 'sub/a.png'))
        assert first.read_bytes() != second.read_bytes()
    # small pictures are enlarged, and there are the overlays of two layers
    assert Image.open(OUT / 'pictures/a.png').size == (384, 384)
    assert Image.open(OUT / 'spikes/a.png').size[0] == 768


def test_a_video(detect: Call, digits, reference, tmp_path) -> None:
    write_video(tmp_path / 'clip.mp4', digits)
    assert detect('clip.mp4', '--batch-size', '3', '--spikes') == 0
    images, boxes = results()
    assert [image['frame'] for image in images] == [0, 1, 2, 3]
    frames = read_video(tmp_path / 'clip.mp4')[1]
    for number, frame in enumerate(frames, 1):
        found = [b for b in boxes if b['image_id'] == number]
        check_boxes(found, reference, np.ascontiguousarray(frame))
    for kind in ('pictures', 'spikes'):
        fps, drawn = read_video(OUT / kind / 'clip.mp4')
        assert fps == 12 and len(drawn) == 4


def as_grey(pixels: np.ndarray, path: Path) -> None:
    Image.fromarray(pixels.mean(2).astype(np.uint8)).save(path)


def as_16_bits(pixels: np.ndarray, path: Path) -> None:
    cv2.imwrite(str(path), pixels.astype(np.uint16) * 257)


def with_alpha(pixels: np.ndarray, path: Path) -> None:
    Image.fromarray(np.dstack([pixels, pixels[..., :1]])).save(path)


def rotated_by_exif(pixels: np.ndarray, path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.fromarray(pixels[:, :96]).save(path, exif=exif)


def test_pictures_are_decoded_as_mmdetection_does(
    detect: Call, digits, reference
) -> None:
    saves = (as_16_bits, as_grey, rotated_by_exif, with_alpha)
    names = [f'{save.__name__}.tif' for save in saves]
    for save, name in zip(saves, names, strict=True):
        save(digits[0], Path(name))
    assert detect(*names) == 0
    images, boxes = results()
    assert [image['file_name'] for image in images] == names
    for image in images:
        name = image['file_name']
        found = [box for box in boxes if box['image_id'] == image['id']]
        check_boxes(found, reference, name)
        upright = (128, 96) if 'exif' in name else (128, 128)
        assert (image['width'], image['height']) == upright
        drawn = Image.open(OUT / 'pictures' / f'{name}.png')
        assert drawn.size == (3 * upright[0], 3 * upright[1])


@pytest.mark.parametrize('option', ['--int8', '--force-bf16'])
def test_deployed(detect: Call, digits, reference, option) -> None:
    Image.fromarray(digits[3][..., ::-1]).save('a.png')
    assert detect('a.png', option) == 0
    expected = inference_detector(reference, 'a.png').pred_instances
    found = [box['score'] for box in results()[1]]
    assert found[0] == pytest.approx(float(expected.scores[0]), abs=0.1)
    assert found != pytest.approx(expected.scores.tolist(), abs=1e-5)


def test_a_camera_is_read_until_ctrl_c(detect: Call, digits, monkeypatch) -> None:
    class Camera:
        frames = iter(digits)

        def __init__(self, place: int) -> None:
            assert place == 7

        def isOpened(self) -> bool:  # noqa: N802
            return True

        def get(self, _: int) -> float:
            return 0.0

        def read(self) -> tuple[bool, np.ndarray]:
            for frame in self.frames:
                return True, frame
            raise KeyboardInterrupt

        def release(self) -> None: ...

    monkeypatch.setattr(cv2, 'VideoCapture', Camera)
    assert detect('7') == 0
    images, _ = results()
    assert [image['file_name'] for image in images] == ['camera 7'] * 4


def test_frames_are_decoded_when_they_are_needed(
    digits, reference, tmp_path, monkeypatch
) -> None:
    write_video(tmp_path / 'clip.mp4', [*digits, *digits])
    decoded = []
    prepare = Detector._read

    def count(self: Detector, source: Source):
        for item in prepare(self, source):
            decoded.append(item.frame)
            yield item

    monkeypatch.setattr(Detector, '_read', count)
    detector = Detector(reference.cfg, reference, batch_size=2)
    next(detector(find_sources([str(tmp_path / 'clip.mp4')], tmp_path / 'out')))
    assert decoded == [0, 1]


def test_a_truncated_video_is_named(detect: Call, digits, tmp_path, capsys) -> None:
    write_video(tmp_path / 'whole.avi', digits * 2)
    content = (tmp_path / 'whole.avi').read_bytes()
    (tmp_path / 'cut.avi').write_bytes(content[: len(content) // 2])
    (tmp_path / 'empty.mp4').write_bytes(b'')
    assert detect('cut.avi', 'empty.mp4') == 1
    lines = capsys.readouterr().err.splitlines()
    assert 'cut.avi' in lines[-2] and 'empty.mp4' in lines[-1]
    assert 0 < len(results()[0]) < 8


def test_names_of_the_output_are_unique(tmp_path: Path) -> None:
    for name in ('a/x.tif', 'a/x.tif.png', 'b/x.tif', 'b/clip.avi', 'b/clip.mov'):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text('')
    words = [str(tmp_path / name) for name in ('a', 'b', 'a/x.tif')]
    names = [source.name for source in find_sources(words, tmp_path / 'out')]
    assert len(set(names)) == len(names) == 5
    assert {Path(name).suffix for name in names} == {'.png', '.mp4'}


def test_the_output_is_no_input(tmp_path: Path) -> None:
    for name in ('x.png', 'out/pictures/x.png'):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text('')
    out = tmp_path / 'out'
    assert [s.name for s in find_sources([str(tmp_path)], out)] == ['x.png']
    with pytest.raises(UserError, match='--out-dir'):
        find_sources([str(out / 'pictures/x.png')], out)


GUIDE = (Path(__file__).resolve().parents[2] / 'docs/detect.md').read_text('utf-8')
COMMANDS = [
    line
    for block in re.findall(r'```bash\n(.*?)```', GUIDE, re.DOTALL)
    for line in block.splitlines()
]


@pytest.mark.parametrize('line', COMMANDS)
def test_commands_of_the_guide(line: str) -> None:
    first, *words = shlex.split(line)
    args = make_parser().parse_args(words)
    assert first == 'mmsnn'
    if words[0] == 'detect':
        _, config, _ = split_words([w.replace('CONFIG', DETECTOR) for w in args.words])
        assert Path(find_config(config)).is_file()


CLASSIFIER = 'mmsnn::digits/sg-r10-asd_1xb64-30e_digits-64px.py'
OTHER = 'mmsnn::spiking_retinanet/spiking-retinanet_sg-r10-rate_fpn_1xb8-8e_digits.py'


@pytest.mark.parametrize(
    ('words', 'parts'),
    [
        (['none.jpg'], ["'none.jpg'", 'camera']),
        (['.'], ["'.'", '.jpg', '.mp4']),
        ([DETECTOR], ['inputs come first']),
        (['7', DETECTOR, 'x.pth', 'y.jpg'], ["'y.jpg'"]),
        (['7', OTHER], ['no weights', OTHER]),
        (['7', '--batch-size', '0'], ['--batch-size', '0']),
        (['7', '--score-thr', '2'], ['--score-thr', '2']),
        (['7', '--int8', '--bf16'], ['--int8', '--bf16']),
        (['7', '--show'], ['--show', 'display']),
    ],
)
def test_mistakes(detect: Call, capsys, words, parts) -> None:
    assert detect(*words) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert not [part for part in parts if part not in line]


def test_a_classifier_is_refused(detect: Call, capsys, tmp_path) -> None:
    model = build_model(load_config(CLASSIFIER))
    torch.save(dict(state_dict=model.state_dict()), tmp_path / 'x.pth')
    Image.new('RGB', (8, 8)).save(tmp_path / 'a.png')
    assert detect('a.png', CLASSIFIER, 'x.pth') == 2
    assert 'not that of a detector' in capsys.readouterr().err.splitlines()[-1]
    assert not (tmp_path / OUT).exists()
