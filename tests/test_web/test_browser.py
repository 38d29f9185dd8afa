"""The page in headless Chromium, driven by Playwright.

MMSNN_BROWSER_TESTS=1 makes a missing browser a failure; MMSNN_SCREENSHOTS=FOLDER keeps
the screenshots.
"""

import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

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


@pytest.fixture
def screenshots(tmp_path: Path) -> Path:
    folder = Path(os.environ.get('MMSNN_SCREENSHOTS', tmp_path))
    folder.mkdir(parents=True, exist_ok=True)
    return folder


@pytest.fixture(params=['light', 'dark'])
def page(request: Any, browser: Any, address: str) -> Iterator[Any]:
    """The page, which may not ask other servers for anything or log errors."""
    size = dict(width=1440, height=1000)
    found = browser.new_page(viewport=size, color_scheme=request.param)
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
    page.wait_for_function(LOADED, timeout=WAIT)


def shown(page: Any, figure: str) -> list[int]:
    """Return a checksum of a picture."""
    img = page.locator(f'img[data-src$="/{figure}.png"]')
    return img.evaluate(PIXELS)


def move(page: Any, name: str, value: str) -> None:
    slider = page.locator(f'[name={name}]')
    slider.fill(value)
    loaded(page)


def test_picture_from_upload_to_screenshot(page: Any, screenshots: Path) -> None:
    page.set_input_files('#file', SAMPLES / 'digits_1.jpg')
    loaded(page)
    expect(page.locator('#count')).to_have_text('6')
    assert page.locator('#box-table tbody tr:visible').count() == 6
    scheme = page.evaluate("matchMedia('(prefers-color-scheme: dark)').matches")
    name = 'dark' if scheme else 'light'
    page.screenshot(path=screenshots / f'page_{name}.png')
    page.screenshot(path=screenshots / f'page_{name}_full.png', full_page=True)
    if name == 'dark':
        return

    before = shown(page, 'boxes')
    move(page, 'score', '0.9')
    assert int(page.locator('#count').inner_text()) < 6
    assert shown(page, 'boxes') != before

    before = shown(page, 'step_map')
    move(page, 'step', '4')
    expect(page.locator('[name=step] + output')).to_have_text('4')
    assert shown(page, 'step_map') != before

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


@pytest.mark.parametrize('page', ['light'], indirect=True)
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
