"""Wheel, sdist and editable install have configs and tools, which work from them."""

import json
import os
import shutil
import subprocess
import sys
import tarfile
import zipfile
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest
from modelindex.load_model_index import load as load_model_index

BUILD = """
import sys
from setuptools import build_meta
for kind in sys.argv[1:]:
    getattr(build_meta, f'build_{kind}')(kind)
"""
IN_CHECKOUT_ALONE = ('mmsnn/.mim/tools/docs_tools/', 'mmsnn/.mim/tools/setup.sh')


def run(*arguments: str, folder: Path, path: str = '') -> str:
    """Run Python in a folder, and return what it prints."""
    done = subprocess.run(
        [sys.executable, *arguments],
        cwd=folder,
        env={**os.environ, 'PYTHONPATH': path, 'OMP_NUM_THREADS': '1'},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def packaged(wheel: Path) -> set[str]:
    """Return the names of a wheel's files, without its metadata."""
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
    return {name for name in names if '.dist-info/' not in name}


def one(files: Iterable[Path]) -> Path:
    (file,) = files
    return file


@pytest.fixture(scope='module')
def checkout(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a copy of the project in which everything has been built."""
    root = Path(__file__).resolve().parents[2]
    copy = tmp_path_factory.mktemp('checkout')
    for name in ('configs', 'mmsnn', 'tools'):
        ignored = shutil.ignore_patterns('__pycache__')
        shutil.copytree(root / name, copy / name, symlinks=True, ignore=ignored)
    for path in root.iterdir():
        if path.is_file():
            shutil.copy(path, copy)
    run('-c', BUILD, 'wheel', 'sdist', 'editable', folder=copy)
    return copy


@pytest.fixture(scope='module')
def installed(checkout: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder into which the wheel has been unpacked."""
    folder = tmp_path_factory.mktemp('site')
    with zipfile.ZipFile(one(checkout.glob('wheel/*.whl'))) as archive:
        archive.extractall(folder)
    return folder


@pytest.fixture(scope='module')
def session(
    installed: Path, tmp_path_factory: pytest.TempPathFactory
) -> dict[str, Any]:
    """Return what came of a user's steps with the wheel in an empty folder."""
    script = Path(__file__).with_name('wheel_session.py')
    empty = tmp_path_factory.mktemp('empty')
    printed = run('-W', 'ignore', str(script), folder=empty, path=str(installed))
    steps = json.loads(printed.splitlines()[-1])
    assert steps['package'] == str(installed / 'mmsnn')
    return {**steps, 'folder': empty}


def test_the_wheel_holds_all_of_the_package_configs_and_tools(checkout: Path) -> None:
    files = {
        str(Path(folder, name).relative_to(checkout))
        for folder, _, names in os.walk(checkout / 'mmsnn', followlinks=True)
        for name in names
    }
    assert {'mmsnn/.mim/tools/train.py', 'mmsnn/.mim/model-index.yml'} < files
    expected = {name for name in files if not name.startswith(IN_CHECKOUT_ALONE)}
    assert packaged(one(checkout.glob('wheel/*.whl'))) == expected


def test_an_sdist_makes_the_same_wheel(checkout: Path, tmp_path: Path) -> None:
    with tarfile.open(one(checkout.glob('sdist/*.tar.gz'))) as archive:
        archive.extractall(tmp_path, filter='data')
    source = one(tmp_path.iterdir())
    run('-c', BUILD, 'wheel', folder=source)
    wheels = (one(folder.glob('wheel/*.whl')) for folder in (source, checkout))
    assert len({frozenset(packaged(wheel)) for wheel in wheels}) == 1


def test_an_editable_install_finds_the_configs(checkout: Path, tmp_path: Path) -> None:
    with zipfile.ZipFile(one(checkout.glob('editable/*.whl'))) as archive:
        archive.extractall(tmp_path)
    find = (
        'import importlib.util, site, sys; site.addsitedir(sys.argv[1]); '
        'print(importlib.util.find_spec("mmsnn").origin)'
    )
    # without the environment's packages, in which mmsnn may be installed as well
    found = run('-I', '-S', '-c', find, str(tmp_path), folder=tmp_path)
    mim = Path(found.strip()).parent / '.mim'
    assert mim == checkout / 'mmsnn' / '.mim'
    assert (mim / 'model-index.yml').is_file()
    assert list(mim.glob('configs/digits/*.py'))


def test_mim_reads_the_index(installed: Path) -> None:
    """`mim search` prints what this library returns."""
    index = load_model_index(str(installed / 'mmsnn/.mim/model-index.yml'))
    models = {model.name: model for model in index.models}
    collections = {collection.name for collection in index.collections}
    configs = {
        path.stem: path for path in installed.glob('mmsnn/.mim/configs/[!_]*/*.py')
    }
    assert models.keys() == configs.keys()
    assert {model.in_collection for model in models.values()} == collections
    trained = models['sg-r10-asd_1xb64-30e_digits'].results[0]
    assert trained.metrics['Top 1 Accuracy'] > 98
    reported = models['danet-a-r50-t4_8xb32-amp-45e_imagenet']
    assert reported.metadata.data['Reported Top 1'] == 73.71
    assert reported.metadata.data['Reported by'].startswith('Li et al.')
    assert not reported.results


def test_interfaces_of_others(session: dict[str, Any]) -> None:
    """MMEngine's hub, configs that inherit the package's, MMDetection's detectors."""
    assert session['hub'] == {
        'scope': 'mmdet',
        'base': 'mmdet',
        'detector': 'mmdet',
        'classifier': 'mmpretrain',
    }
    assert session['inherit'] == {'same': True}
    assert session['detect']['boxes'] > 0
    assert session['detect']['same']


def test_tools_take_the_packages_configs(session: dict[str, Any]) -> None:
    train, analyse = session['train'], session['analyse']
    assert train['code'] == 0, train['err']
    run_folder = session['folder'] / 'work_dirs' / 'sg-r10-asd_1xb64-30e_digits'
    assert (run_folder / 'epoch_1.pth').is_file()
    assert analyse['code'] == 0, analyse['err']
    assert 'mmsnn::spiking_retinanet' in analyse['out']


@pytest.mark.parametrize(
    ('step', 'parts'),
    [
        ('no data', ['data/digits_detection', '{folder}']),
        ('no config', ['mmsnn::digits/sg-r11-asd_1xb', 'mmsnn::digits/sg-r10-asd_1xb']),
    ],
)
def test_what_is_missing(session: dict[str, Any], step: str, parts: list[str]) -> None:
    """Data in the current folder, and a config that the package lacks."""
    missing = session[step]
    assert missing['code'] == 2
    for part in parts:
        assert part.format(**session) in missing['err']
