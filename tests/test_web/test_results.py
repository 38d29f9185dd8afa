"""What the page measures of a classifier of images and of event frames."""

from pathlib import Path
from typing import Any

import pytest
import torch
from mmengine.config import Config
from test_configs.narrow import narrow

import mmsnn
from mmsnn.analysis.model_inputs import InputSource, build_model, make_batches
from mmsnn.utils.errors import UserError
from mmsnn.web import summary
from mmsnn.web.figures import render
from mmsnn.web.results import Results, measure
from mmsnn.web.served_models import SAMPLES, ServedModel

CONFIGS = Path(mmsnn.__file__).parent / '.mim' / 'configs'
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
    with pytest.raises(UserError, match='no boxes'):
        render('boxes', result, {})


def test_event_model_takes_no_picture(tmp_path: Path, monkeypatch: Any) -> None:
    monkeypatch.chdir(tmp_path)
    served = serve(tmp_path, EVENTS)
    with pytest.raises(UserError, match='event frames'):
        served.read_file(SAMPLES / 'digits_1.jpg')
    with pytest.raises(UserError, match='data'):
        _ = served.samples


def test_the_latest_results_are_kept() -> None:
    results: Any = Results(limit=2)
    names = [results.add(number) for number in range(3)]
    assert [results.get(name) for name in names] == [None, 1, 2]
    assert len({*names}) == 3
