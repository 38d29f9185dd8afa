"""The server of the page over HTTP, without a browser."""

import json
import re
import sys
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from io import BytesIO
from types import SimpleNamespace
from typing import NamedTuple
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import numpy as np
import pytest
import torch
from PIL import Image

from mmsnn.cli.main import main
from mmsnn.web import uploads
from mmsnn.web.app import sample_picture
from mmsnn.web.served_models import SAMPLES

FIGURES = (
    *('boxes', 'raster', 'potentials', 'step_map', 'channel_maps'),
    *('temporal', 'channel', 'spatial', 'gradcam', 'firing', 'energy'),
)
PICTURES = sorted(SAMPLES.glob('*.jpg'))


class Answer(NamedTuple):
    status: int
    content: bytes
    headers: Mapping[str, str]

    @property
    def text(self) -> str:
        return self.content.decode()


def ask(url: str, body: bytes | None = None, **headers: str) -> Answer:
    names = {name.replace('_', '-'): value for name, value in headers.items()}
    request = Request(url, data=body, headers=names)
    try:
        with urlopen(request, timeout=60) as answer:
            return Answer(answer.status, answer.read(), answer.headers)
    except HTTPError as error:
        return Answer(error.code, error.read(), error.headers)


def analyse(address: str, body: bytes, query: str = 'model=0') -> str:
    """Return the address of a new result."""
    answer = ask(f'{address}/results?{query}', body)
    assert answer.status == 200, answer.text
    return f'{address}/results/{re.search(r"results/([^/]+)/", answer.text)[1]}'


def numbers(result: str) -> dict:
    """Return the numbers of a result, without the time and the paths."""
    content = json.loads(ask(f'{result}/result.json').content)
    return {key: value for key, value in content.items() if key != 'seconds'}


@pytest.fixture(scope='module')
def result(address: str) -> str:
    return analyse(address, PICTURES[0].read_bytes())


def test_page_needs_nothing_from_elsewhere(address: str) -> None:
    page = ask(f'{address}/')
    assert page.status == 200
    assets = re.findall(r'(?:src|href)="(assets/[^"]+)"', page.text)
    assert len(assets) == 3
    contents = [page, ask(f'{address}/models/0')]
    contents += [ask(f'{address}/{asset}') for asset in assets]
    for answer in contents:
        assert answer.status == 200
        assert not re.search(r'(?:https?:)?//\w+\.\w+', answer.text)
        policy = answer.headers['content-security-policy']
        assert "default-src 'none'" in policy and 'http' not in policy


def test_numbers_are_those_of_the_detector(result: str) -> None:
    found = numbers(result)
    scores = found['boxes']['scores']
    # the two largest digits of the picture, a 0 and a 2
    assert found['boxes']['labels'][:2] == [0, 2] and scores[1] > 0.8
    assert scores == sorted(scores, reverse=True)
    assert 0 < found['firing']['firing_rate'] < 1
    assert len(found['attention']['decoders']) == 4
    assert len(found['each_step']['detections']) == 4
    assert found['each_step']['stop'] in (2, 3, 4)
    spiking, twin = found['energy_total'], found['energy_without_spikes']
    assert spiking['energy_pj'] < twin['energy_pj']
    assert any('3.1 pJ per MAC' in line for line in found['assumptions'])


def picture(address: str) -> np.ndarray:
    answer = ask(address)
    assert answer.status == 200, answer.text
    assert answer.headers['content-type'] == 'image/png'
    return np.asarray(Image.open(BytesIO(answer.content)).convert('RGB'))


@pytest.mark.parametrize('figure', FIGURES)
def test_picture(result: str, figure: str) -> None:
    assert picture(f'{result}/{figure}.png').std() > 1


@pytest.mark.parametrize(
    ('figure', 'one', 'other'),
    [
        ('boxes', 'score=0.3', 'score=0.95'),
        ('step_map', 'step=1', 'step=4'),
        ('each_step', 'steps=1', 'steps=4'),
        ('gradcam', 'target=box-0', 'target=category-2'),
    ],
)
def test_choices_change_the_picture(result, figure, one, other) -> None:
    before, after = (picture(f'{result}/{figure}.png?{x}') for x in (one, other))
    assert before.shape != after.shape or (before != after).any()


@pytest.mark.parametrize(
    ('path', 'part'),
    [
        ('boxes.png?score=much', "score must be a number, but got 'much'"),
        ('step_map.png?step=0', 'from 1 to 4, but got 0'),
        ('step_map.png?step=5', 'from 1 to 4, but got 5'),
        ('each_step.png?steps=5', 'from 1 to 4, but got 5'),
        ('frames.png', 'frames of events'),
        ('raster.png?layer=nothing', "'nothing'"),
        ('gradcam.png?target=box-999', 'index 999'),
        ('gradcam.png?target=picture-1', "'picture'"),
        ('gradcam.png?level=4', 'from 0 to 3, but got 4'),
        ('gate.png', 'no gate'),
    ],
)
def test_wrong_choice_is_one_line(result: str, path: str, part: str) -> None:
    answer = ask(f'{result}/{path}')
    assert answer.status == 422
    assert part in answer.text and '\n' not in answer.text


@pytest.mark.parametrize('path', ['results/none/boxes.png', 'results/none/result.json'])
def test_result_that_is_not_kept(address: str, path: str) -> None:
    answer = ask(f'{address}/{path}')
    assert answer.status == 404 and 'no longer kept' in answer.text


@pytest.mark.parametrize('path', ['models/9', 'models/0/samples/99.png'])
def test_models_and_samples_that_do_not_exist(address: str, path: str) -> None:
    assert ask(f'{address}/{path}').status == 422


@pytest.mark.parametrize('name', ['../app.py', '%2e%2e%2fapp.py', 'page.html.j2', 'x'])
def test_other_files_are_not_served(address: str, name: str) -> None:
    assert ask(f'{address}/assets/{name}').status == 404


def encoded(form: str, size: tuple[int, int] = (8, 8), **options: object) -> bytes:
    buffer = BytesIO()
    Image.new('RGB', size).save(buffer, form, **options)
    return buffer.getvalue()


def pickled() -> bytes:
    buffer = BytesIO()
    torch.save(dict(state_dict={}), buffer)
    return buffer.getvalue()


BROKEN = {
    'nothing': b'',
    'text': b'not a picture',
    'pickle': pickled(),
    'a half': PICTURES[0].read_bytes()[:3000],
    'other format': encoded('TIFF'),
    'too many pixels': encoded('PNG', (10_000, 5_001)),
    'damaged metadata': encoded('PNG', exif=b'Exif\0\0nothing'),
}


@pytest.mark.parametrize('body', BROKEN.values(), ids=BROKEN)
def test_broken_upload_is_one_line(address: str, body: bytes) -> None:
    answer = ask(f'{address}/results?model=0', body)
    assert answer.status == 422
    assert answer.text and '\n' not in answer.text


RECORDING = (SAMPLES / 'event_digits.dat').read_bytes()
BROKEN_RECORDINGS = {
    'nothing': b'',
    'picture': PICTURES[0].read_bytes(),
    'pickle': pickled(),
    'cut off': RECORDING[:-3],
    'no events': RECORDING[: RECORDING.rindex(b'128\n') + 6],
    'another sensor': RECORDING[:-4] + b'\xff\xff\xff\x0f',
    'damaged array': b'\x93NUMPY\x01\x00' + RECORDING[:300],
}


@pytest.mark.parametrize('body', BROKEN_RECORDINGS.values(), ids=BROKEN_RECORDINGS)
def test_broken_recording_is_one_line(address: str, body: bytes) -> None:
    answer = ask(f'{address}/results?model=2', body)
    assert answer.status == 422
    assert answer.text.startswith('the file ') and '\n' not in answer.text
    assert '/tmp' not in answer.text


def test_upload_that_is_too_large(address: str) -> None:
    body = bytes(uploads.MAX_BYTES + 1)
    answer = ask(f'{address}/results?model=0', body)
    assert answer.status == 413 and '20 MiB' in answer.text


def test_large_picture_is_reduced_and_turned(tmp_path) -> None:
    turned = Image.Exif()
    turned[0x0112] = 6  # a quarter
    content = encoded('JPEG', (3000, 1500), exif=turned)
    uploads.save_picture(content, tmp_path / 'out.png')
    with Image.open(tmp_path / 'out.png') as saved:
        assert saved.size == (512, 1024) and not saved.getexif()


def test_pictures_at_the_same_time(address: str) -> None:
    """Each gets the result that it gets alone."""
    bodies = [path.read_bytes() for path in PICTURES[:2]]
    alone = [numbers(analyse(address, body)) for body in bodies]
    with ThreadPoolExecutor(4) as pool:
        together = list(pool.map(lambda body: analyse(address, body), bodies * 2))
        found = list(pool.map(numbers, together))
    assert found == alone * 2
    assert alone[0] != alone[1]
    assert len({*together}) == 4


def test_other_pages_are_refused(address: str) -> None:
    url = f'{address}/results?model=0&sample=0'
    assert ask(url, b'', Sec_Fetch_Site='cross-site').status == 403
    assert ask(url, b'', Origin='http://example.org').status == 403
    assert ask(url, b'', Origin='null').status == 403
    assert ask(f'{address}/results?sample=99', b'', Origin=address).status == 422
    for name in ('localhost', '[::1]:80'):
        assert ask(f'{address}/', Host=name).status == 200
    assert ask(f'{address}/', Host='example.org').status == 400


def test_model_without_attention(address: str) -> None:
    found = numbers(analyse(address, b'', 'model=1&sample=1'))
    assert found['config'].startswith('mmsnn::whole_spiking_retinanet/')
    assert found['attention'] is None


@pytest.mark.parametrize(
    ('words', 'part'),
    [
        (['none.py'], "'none.py'"),
        (['mmsnn::digits/sg-r10-asd_1xb64-30e_digits.py'], 'give a checkpoint'),
        (['--port', '70000'], '70000'),
        (['--host', '192.0.2.1'], '192.0.2.1'),
        (['--port', 'TAKEN'], 'already in use'),
    ],
)
def test_mistake_is_one_line(address, capsys, monkeypatch, words, part) -> None:
    words = [word.replace('TAKEN', address.rpartition(':')[2]) for word in words]
    monkeypatch.setattr(sys, 'argv', ['mmsnn', 'serve', *words])
    with pytest.raises(SystemExit) as end:
        main()
    assert end.value.code == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith('error: ') and part in line


@pytest.mark.parametrize('loads_rgb', [True, False])
def test_samples_keep_their_colours(loads_rgb):
    red = torch.zeros(3, 4, 4, dtype=torch.uint8)
    red[0 if loads_rgb else 2] = 200
    served = SimpleNamespace(
        samples=[{'inputs': [red]}], preprocessor={'loads_rgb': loads_rgb}
    )
    picture = Image.open(BytesIO(sample_picture(served, 0)))
    assert picture.getpixel((0, 0)) == (200, 0, 0)
