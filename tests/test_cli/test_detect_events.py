"""``mmsnn detect`` on recordings of events, and on streams."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from mmengine.dataset import Compose, pseudo_collate
from mmengine.registry import TRANSFORMS
from PIL import Image
from test_models.helpers import calibrate

from mmsnn.analysis.model_inputs import build_model
from mmsnn.datasets.events.detection import write_dat
from mmsnn.inference.source_readers import WindowReader
from mmsnn.streaming import stream_detections
from mmsnn.utils.config_files import load_config
from test_cli.test_detect import OUT, read_video, results, write_video  # noqa: F401

Call = Callable[..., int]
FOLDERS = 'mmsnn::spiking_retinanet/', 'mmsnn::retinanet/'
EVENTS = FOLDERS[0] + 'spiking-retinanet_sg-r10-asd_fpn_1xb8-16e_event-digits.py'
ANN = FOLDERS[1] + 'retinanet_r10_fpn_1xb8-16e_event-digits.py'
GATED = ('--cfg-options', 'model.backbone.stem=gac')
WINDOW = 100_000
SIZE = (128, 128)


@pytest.fixture(scope='module')
def model(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """A detector of events that detects something, with a file of its weights."""
    torch.manual_seed(0)
    cfg = load_config(EVENTS)
    model = build_model(cfg)
    calibrate(model.backbone, torch.randn(2, 4, 4, *SIZE))
    torch.nn.init.constant_(model.bbox_head.retina_cls.bias, -2.0)
    model.eval().cfg = cfg
    model.path = tmp_path_factory.mktemp('weights') / 'x.pth'
    torch.save(dict(state_dict=model.state_dict()), model.path)
    return model


@pytest.fixture
def recording(tmp_path: Path) -> Path:
    """A bar that moves for 0.3 s."""
    path = tmp_path / 'bar_td.dat'
    t = np.arange(40, 300_000, 25)
    x = 20 + t // 4000 + t % 7
    write_dat(path, dict(t=t, x=x, y=t // 25 % 90, p=t // 75 % 2), SIZE)
    return path


def prepare(cfg: Any, path: Path, window: tuple[int, int], **loader: Any) -> Any:
    """Return a window as a data set gives it to the test pipeline."""
    first, *rest = cfg.test_dataloader.dataset.pipeline
    pipeline = Compose([TRANSFORMS.build(s) for s in ({**first, **loader}, *rest)])
    sample = dict(img_id=0, img_path=str(path), layout='dat', window=window)
    size = dict(height=SIZE[0], width=SIZE[1], instances=[])
    return pseudo_collate([pipeline({**sample, **size})])


def check(images: list[dict], boxes: list[dict], expected: list[Any]) -> None:
    """Compare the boxes of each image with detections."""
    assert len(images) == len(expected)
    for image, sample in zip(images, expected, strict=True):
        found = [box for box in boxes if box['image_id'] == image['id']]
        scores = sample.pred_instances.scores.tolist()
        assert [box['score'] for box in found] == pytest.approx(scores, abs=1e-6)
        assert {box['time_us'] for box in found} == {image['end_us']}


def test_a_recording(detect: Call, model: Any, recording: Path, capsys) -> None:
    assert detect(recording, EVENTS, model.path, '--batch-size', 2, '--spikes') == 0
    assert ' in 3 windows, ' in capsys.readouterr().out
    images, boxes = results()
    windows = [(40 + k * WINDOW, 40 + (k + 1) * WINDOW) for k in range(3)]
    assert [(i['begin_us'], i['end_us']) for i in images] == windows
    assert [(i['frame'], i['width'], i['height']) for i in images] == [
        (k, *SIZE) for k in range(3)
    ]
    with torch.no_grad():
        batches = (prepare(model.cfg, recording, window) for window in windows)
        check(images, boxes, [model.test_step(batch)[0] for batch in batches])
    for kind in ('pictures', 'spikes'):
        fps, drawn = read_video(OUT / kind / 'bar_td.mp4')
        assert (fps, len(drawn)) == (10, 3)
    # the bar is drawn where it is in the first window
    fps, (first, *_) = read_video(OUT / 'pictures' / 'bar_td.mp4')
    assert first[40:200, 60:150].std() > 2 * first[300:].std()


def test_a_stream_of_events(detect: Call, model: Any, recording: Path, capsys) -> None:
    assert detect(recording, EVENTS, model.path, '--stream') == 0
    assert ' in 12 frames, ' in capsys.readouterr().out
    images, boxes = results()
    windows = [(40 + k * WINDOW // 4, 40 + (k + 1) * WINDOW // 4) for k in range(12)]
    assert [(i['begin_us'], i['end_us']) for i in images] == windows
    chunks = [prepare(model.cfg, recording, w, num_steps=1) for w in windows]
    check(images, boxes, [x for (x,) in stream_detections(model, chunks)])
    # four steps of a new stream are one call over a window
    with torch.no_grad():
        whole = model.test_step(prepare(model.cfg, recording, (40, 40 + WINDOW)))
    check(images[3:4], boxes, whole)
    assert read_video(OUT / 'pictures' / 'bar_td.mp4')[0] == 40


def test_each_recording_is_a_stream(detect: Call, model: Any, recording: Path) -> None:
    (recording.parent / 'in').mkdir()
    for name in ('a.dat', 'b.dat'):
        (recording.parent / 'in' / name).write_bytes(recording.read_bytes())
    assert detect('in', EVENTS, model.path, '--stream') == 0
    images, boxes = results()
    first, second = (
        [b['score'] for b in boxes if (b['image_id'] > 12) == later]
        for later in (False, True)
    )
    assert len(images) == 24 and first == second


def test_a_video_as_a_stream(detect: Call, tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    frame = rng.integers(0, 255, (128, 128, 3), np.uint8)
    # without loss
    write_video(tmp_path / 'still.avi', [frame] * 6, codec='HFYU')
    scores = {}
    for words in ((), ('--stream',)):
        assert detect('still.avi', '--score-thr', '0.1', *words) == 0
        images, boxes = results()
        assert [image['frame'] for image in images] == [*range(6)]
        assert 'end_us' not in images[0]
        scores[words] = [
            sorted(b['score'] for b in boxes if b['image_id'] == i['id'])[-5:]
            for i in images
        ]
    window, stream = scores.values()
    # at T = 4 steps of the same picture, a stream has seen what one call sees
    assert stream[3] == pytest.approx(window[3], abs=1e-4)
    assert stream[0] != pytest.approx(window[0], abs=1e-4)
    assert stream[5] != pytest.approx(stream[3], abs=1e-4)


def test_a_folded_int8_model_streams(detect: Call, model: Any, recording: Path) -> None:
    assert detect(recording, EVENTS, model.path, '--stream', '--int8') == 0
    images, boxes = results()
    assert len(images) == 12 and boxes


def test_damage_within_a_recording(
    detect: Call, model: Any, recording: Path, capsys
) -> None:
    content = bytearray(recording.read_bytes())
    # an event of the last window is outside the sensor
    content[-4:-2] = b'\xff\x3f'
    recording.write_bytes(content)
    assert detect(recording, EVENTS, model.path) == 1
    last = capsys.readouterr().err.splitlines()[-1]
    assert str(recording) in last and 'column of the sensor' in last
    assert len(results()[0]) == 2


@pytest.mark.parametrize(
    ('words', 'parts'),
    [
        (['bar_td.dat'], ['bar_td.dat', 'detects in pictures']),
        (['a.png', EVENTS, 'x.pth'], ['a.png', '.dat, .npy']),
        (['0', EVENTS, 'x.pth'], ['0 is a camera']),
        (['empty', EVENTS, 'x.pth'], ["'empty'", 'recording', '.dat']),
        (['none.dat', EVENTS, 'x.pth'], ['none.dat', 'does not exist']),
        (['cut.dat', EVENTS, 'x.pth'], ['cut.dat', 'cut off 3 bytes']),
        (['boxes.npy', EVENTS, 'x.pth'], ['boxes.npy', 'lacks p']),
        (['bar_td.dat', EVENTS], [EVENTS, 'no weights']),
        (['a.png', '--stream'], ['--stream', 'a.png', 'image']),
        (['0', '--stream', '--batch-size', '2'], ['--stream', '--batch-size']),
        (['0', '--stream', '--spikes'], ['--stream', '--spikes']),
    ],
)
def test_mistakes(detect: Call, recording, tmp_path, capsys, words, parts) -> None:
    (tmp_path / 'cut.dat').write_bytes(recording.read_bytes()[:-5])
    (tmp_path / 'empty').mkdir()
    Image.new('RGB', (8, 8)).save(tmp_path / 'a.png')
    np.save(tmp_path / 'boxes.npy', np.zeros(3, [(n, 'f4') for n in 'txywh']))
    assert detect(*words) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert not [part for part in parts if part not in line]
    assert not (tmp_path / OUT).exists()


@pytest.mark.parametrize(
    ('config', 'options', 'part'),
    [(ANN, (), 'no spiking neurons'), (EVENTS, GATED, 'temporal attention')],
)
def test_what_cannot_stream_is_refused_before_a_frame_is_read(
    detect: Call, recording, tmp_path, capsys, monkeypatch, config, options, part
) -> None:
    monkeypatch.setattr(WindowReader, 'read', None)
    cfg = load_config(config, dict(word.split('=') for word in options[1:]))
    state = dict(state_dict=build_model(cfg).state_dict())
    torch.save(state, tmp_path / 'x.pth')
    assert detect(recording, config, 'x.pth', '--stream', *options) == 2
    line = capsys.readouterr().err.splitlines()[-1]
    assert config.rpartition('/')[2] in line and part in line
    assert not (tmp_path / OUT).exists()
