"""What the page measures of a classifier of images and of event frames."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from mmengine.config import Config
from test_configs.narrow import narrow

from mmsnn.analysis.anytime import StoppingRule, detect_after, stopping_step
from mmsnn.analysis.model_inputs import InputSource, build_model, make_batches
from mmsnn.datasets.events.detection import DatFile
from mmsnn.utils.errors import UserError
from mmsnn.web import summary
from mmsnn.web.figures import render
from mmsnn.web.results import Results, measure
from mmsnn.web.served_models import SAMPLES, ServedModel
from mmsnn.web.uploads import read_upload

from .conftest import CONFIGS

IMAGES = 'digits/gac-ms-r10-rate_1xb64-30e_digits.py'
EVENTS = 'dvs128_gesture/sew-add-7b_1xb16-amp-192e_dvs128-gesture.py'


def serve(folder: Path, name: str) -> ServedModel:
    """Return a narrow, untrained model of a config."""
    cfg = Config.fromfile(CONFIGS / name)
    if name != EVENTS:  # it is narrow
        narrow(cfg)
    # fewer time steps are faster
    text = cfg.pretty_text.replace('num_steps=16', 'num_steps=2')
    (folder / 'net.py').write_text(text)
    cfg = Config.fromfile(folder / 'net.py')
    state = build_model(cfg).state_dict()
    torch.save(dict(state_dict=state), folder / 'net.pth')
    paths = [str(folder / f'net.{suffix}') for suffix in ('py', 'pth')]
    return ServedModel('net', '', *paths, pytest.fail)


@pytest.mark.parametrize('name', [IMAGES, EVENTS])
def test_classifier(tmp_path: Path, name: str) -> None:
    served = serve(tmp_path, name)
    source = InputSource('random', size=(128, 128) if name == EVENTS else None)
    result = measure(served, *make_batches(served.cfg, source, 1))
    scores = result.prediction.scores
    assert scores.sum() == pytest.approx(1, abs=1e-5)
    assert summary.prediction_table(result).rows[0][1] == scores.max()
    assert summary.targets(result)[0][0] == f'category-{scores.argmax()}'
    assert len(summary.levels(result)) == 1
    for figure in ('gradcam', 'raster', 'firing', 'energy'):
        assert render(figure, result, {}).startswith(b'\x89PNG')
    assert summary.to_data(result)['boxes'] is None
    attentive = name == IMAGES
    assert (result.attention is not None) == attentive
    for query in ({'gate': '0'}, {'gate': '1'}):
        if attentive and query == {'gate': '0'}:
            assert render('gate', result, query)
        else:
            with pytest.raises(UserError):
                render('gate', result, query)
    assert result.each_step is None
    for figure in ('boxes', 'each_step'):
        with pytest.raises(UserError, match='no boxes'):
            render(figure, result, {})


def test_recordings(event_detector: ServedModel, tmp_path: Path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)  # without data
    (sample,) = event_detector.samples
    result = measure(event_detector, sample)
    headline = summary.headline(result)
    assert headline['Part of the recording'] == '0.500 to 0.600 s'
    events = DatFile(SAMPLES / 'event_digits.dat')
    assert result.image.values.sum() == len(events) == sample['inputs'][0].sum()
    data = summary.to_data(result)
    assert data['window_us'] == [500_000, 600_000]
    for figure in ('boxes', 'frames', 'each_step', 'step_map'):
        assert render(figure, result, {}).startswith(b'\x89PNG')

    served = serve(tmp_path, EVENTS)
    (sample,) = served.samples
    assert sample['inputs'][0].shape == (2, 2, 128, 128)
    with pytest.raises(UserError, match='not a recording'):
        served.read_file(SAMPLES / 'digits_1.jpg')


def test_each_step_is_what_anytime_measures(event_detector: ServedModel) -> None:
    (sample,) = event_detector.samples
    result = measure(event_detector, sample)
    found = result.each_step
    steps = [detect_after(event_detector.model, sample, t)[0] for t in (1, 2, 3, 4)]
    for boxes, expected in zip(found.detections, steps, strict=True):
        np.testing.assert_array_equal(
            boxes.scores, expected.pred_instances.scores.sort(descending=True)[0]
        )
    # with all steps, it is the prediction
    last = result.prediction
    np.testing.assert_allclose(found.detections[-1].boxes, last.boxes, atol=1e-3)
    assert found.stop == stopping_step(steps, StoppingRule())
    assert not np.array_equal(found.detections[0].boxes, last.boxes)


def test_recordings_with_too_many_events(
    event_detector: ServedModel, monkeypatch: Any
) -> None:
    monkeypatch.setattr('mmsnn.web.served_models.MAX_EVENTS', 100)
    with pytest.raises(UserError, match='has 8486 events, but at most 100') as error:
        read_upload(event_detector, (SAMPLES / 'event_digits.dat').read_bytes())
    assert str(error.value).startswith('the file cannot be used')


def test_the_latest_results_are_kept() -> None:
    results: Any = Results(limit=2)
    names = [results.add(number) for number in range(3)]
    assert [results.get(name) for name in names] == [None, 1, 2]
    assert len({*names}) == 3
