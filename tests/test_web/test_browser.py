"""The page in headless Chromium, driven by Playwright.

MMSNN_BROWSER_TESTS=1 makes a missing browser a failure; MMSNN_SCREENSHOTS=FOLDER keeps
the screenshots.
"""

import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mmsnn.web.served_models import SAMPLES

CHROMIUM = shutil.which('chromium') or shutil.which('chromium-browser')
FLAGS = (
    *('--headless', '--no-sandbox', '--disable-gpu', '--no-first-run'),
    *('--disable-background-networking', '--disable-component-update'),
    '--disable-sync',
)
WAIT = 60_000
LOADED = """() => {
    const pictures = [...document.querySelectorAll('#result img[src]')];
    return pictures.length && !document.querySelector('.loading, .busy')
        && pictures.every((img) => img.complete && img.naturalWidth);
}"""
PIXELS = """async (img) => {
    const bytes = new Uint8Array(await (await fetch(img.src)).arrayBuffer());
    return Array.from(new Uint8Array(await crypto.subtle.digest('SHA-256', bytes)));
}"""

try:
    from playwright.sync_api import expect, sync_playwright
except ImportError:
    sync_playwright = None


@pytest.fixture(scope='module')
def browser() -> Iterator[Any]:
    missing = []
    if CHROMIUM is None:
        missing.append('Chromium (apt-get install chromium)')
    if sync_playwright is None:
        missing.append('Playwright (pip install playwright)')
    if missing:
        reason = f'{" and ".join(missing)} not found'
        if os.environ.get('MMSNN_BROWSER_TESTS', '0') != '0':
            pytest.fail(reason)
        pytest.skip(reason)
    with sync_playwright() as playwright:
        found = playwright.chromium.launch(executable_path=CHROMIUM, args=[*FLAGS])
        yield found
        found.close()


def keep_screenshot(page: Any, name: str, **options: bool) -> None:
    """Save a picture of the page if a folder for it is given: it takes a second."""
    if 'MMSNN_SCREENSHOTS' in os.environ:
        path = Path(os.environ['MMSNN_SCREENSHOTS'], f'{name}.png')
        page.screenshot(path=path, **options)


@pytest.fixture
def page(browser: Any, address: str) -> Iterator[Any]:
    """The page, which may not ask other servers for anything or log errors."""
    size = dict(width=1440, height=1000)
    found = browser.new_page(viewport=size, color_scheme='light')
    found.set_default_timeout(WAIT)
    outside, errors = [], []
    found.on('request', lambda sent: outside.append(sent.url))
    found.on('pageerror', lambda error: errors.append(str(error)))
    found.goto(address)
    found.locator('[data-sample="5"]').wait_for()
    yield found
    found.close()
    local = (address, 'data:', 'blob:')
    assert not [url for url in outside if not url.startswith(local)]
    assert not errors


def loaded(page: Any) -> None:
    page.wait_for_function(LOADED, timeout=WAIT, polling=50)


def shown(page: Any, figure: str) -> list[int]:
    """Return a checksum of a picture."""
    img = page.locator(f'img[data-src$="/{figure}.png"]')
    return img.evaluate(PIXELS)


def move(page: Any, name: str, value: str) -> None:
    slider = page.locator(f'[name={name}]')
    slider.fill(value)
    loaded(page)


def test_picture_from_upload_to_screenshot(page: Any) -> None:
    page.set_input_files('#file', SAMPLES / 'digits_1.jpg')
    loaded(page)
    expect(page.locator('#count')).to_have_text('6')
    assert page.locator('#box-table tbody tr:visible').count() == 6
    grounds = set()
    for scheme in ('dark', 'light'):
        page.emulate_media(color_scheme=scheme)
        keep_screenshot(page, f'page_{scheme}')
        keep_screenshot(page, f'page_{scheme}_full', full_page=True)
        grounds.add(page.evaluate('getComputedStyle(document.body).backgroundColor'))
    assert len(grounds) == 2

    before = shown(page, 'boxes')
    move(page, 'score', '0.9')
    assert int(page.locator('#count').inner_text()) < 6
    assert shown(page, 'boxes') != before

    before = shown(page, 'step_map')
    move(page, 'step', '4')
    expect(page.locator('[name=step] + output')).to_have_text('4')
    assert shown(page, 'step_map') != before

    before = shown(page, 'each_step')
    assert int(page.locator('#stop').inner_text()) in (2, 3, 4)
    move(page, 'steps', '2')
    expect(page.locator('[name=steps] + output')).to_have_text('2')
    assert shown(page, 'each_step') != before

    before = shown(page, 'raster')
    page.locator('[name=layer]').select_option(index=3)
    loaded(page)
    assert shown(page, 'raster') != before

    before = shown(page, 'gradcam')
    page.locator('[name=target]').select_option('box-1')
    loaded(page)
    assert shown(page, 'gradcam') != before

    page.locator('#spikes summary').click()
    # the browser reports the opening later
    potentials = page.locator('img[data-src$="/potentials.png"]')
    expect(potentials).to_be_visible(timeout=WAIT)
    with page.expect_download() as download:
        page.locator('#boxes .download').click()
    assert download.value.suggested_filename == 'boxes.png'
    with page.expect_download() as download:
        page.locator('text=Download all numbers').click()
    assert download.value.suggested_filename == 'result.json'


@pytest.mark.slow
def test_event_recording(page: Any, tmp_path: Path) -> None:
    page.locator('#model').select_option('2')
    expect(page.locator('#ask')).to_have_text('Drop an event recording here')
    expect(page.locator('[data-sample]')).to_have_count(1)
    page.set_input_files('#file', SAMPLES / 'event_digits.dat')
    loaded(page)
    assert page.locator('#box-table tbody tr:visible').count() > 0
    expect(page.locator('#frames img')).to_be_visible()
    expect(page.locator('.headline')).to_contain_text('0.500 to 0.600 s')
    keep_screenshot(page, 'page_events', full_page=True)

    for name, figure in (('steps', 'each_step'), ('step', 'step_map')):
        before = shown(page, figure)
        move(page, name, '4')
        assert shown(page, figure) != before

    pickled = tmp_path / 'pickled.npy'
    np.save(pickled, np.array([{}], object), allow_pickle=True)
    for file, told in (
        (pickled, 'Python objects'),
        (SAMPLES / 'digits_1.jpg', 'the file is not a recording that can be read'),
    ):
        page.set_input_files('#file', file)
        expect(page.locator('#message')).to_contain_text(told)
        assert not page.locator('#result section').count()


@pytest.mark.slow
def test_broken_file_and_other_model(page: Any, tmp_path: Path) -> None:
    broken = tmp_path / 'broken.png'
    broken.write_bytes(b'not a picture')
    page.set_input_files('#file', broken)
    expect(page.locator('#message')).to_contain_text('not a picture that can be read')
    assert not page.locator('#result section').count()

    page.locator('#model').select_option('1')
    expect(page.locator('#about code')).to_contain_text('whole')
    page.locator('[data-sample="2"]').click()
    loaded(page)
    assert not page.locator('#message').is_visible()
    assert not page.locator('#attention').count()
    expect(page.locator('#gradcam img')).to_be_visible()
