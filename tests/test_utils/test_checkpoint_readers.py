"""MMEngine's own loaders after mmsnn has been imported."""

import importlib.util
import sys
from collections.abc import Callable
from importlib.machinery import PathFinder
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import mmengine.runner
import pytest
import torch
from mmengine.runner import load_checkpoint

from mmsnn.utils import checkpoint_readers
from mmsnn.utils.checkpoint_readers import SWITCH, always_safe, close_fallback
from mmsnn.utils.safe_loading import UnsafeContentError

from . import hostile

NAME = 'mmengine.runner.checkpoint'
URL = 'https://example.org/x/weights.pth'


@pytest.fixture(autouse=True)
def _no_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(SWITCH, raising=False)


def execute(spec: Any) -> ModuleType:
    """Import MMEngine's module once more, apart from the one in use."""
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope='module')
def untouched() -> ModuleType:
    return execute(PathFinder.find_spec(NAME, mmengine.runner.__path__))


@pytest.fixture(scope='module')
def closed() -> ModuleType:
    """The module as it is if mmsnn is imported first."""
    finder = checkpoint_readers._AfterImport()
    assert finder.find_spec('mmengine.runner.runner', mmengine.runner.__path__) is None
    return execute(finder.find_spec(NAME, mmengine.runner.__path__))


@pytest.mark.parametrize('trick', ['getattr', 'history'])
def test_the_tricks_work(
    trick: str, untouched: ModuleType, tmp_path: Path, marker: Path, monkeypatch: Any
) -> None:
    """On MMEngine alone, although torch is told to load weights only."""
    monkeypatch.setenv(SWITCH, '1')
    path = hostile.write_trick(tmp_path / 'a.pth', trick, marker)
    assert 'state_dict' in untouched.load_from_local(str(path), 'cpu')
    assert marker.exists()


class _Client:
    """Stands for the services that MMEngine gets files from."""

    def __init__(self, file: Path) -> None:
        self.file = file
        self.name = 'weights.pth'

    def get(self, path: str) -> Any:
        """The bytes for Ceph; the model for PAVI."""
        return self.file.read_bytes() if '://' in path else self

    def download(self, path: str) -> None:
        Path(path).write_bytes(self.file.read_bytes())


ADDRESSES = [
    'weights.pth',
    URL,
    'http://example.org/weights.pth',
    'torchvision://resnet18',
    'modelzoo://resnet18',
    'open-mmlab://here',
    'openmmlab://away',
    'mmcls://resnet',
    'pavi://weights.pth',
    's3://weights.pth',
    'petrel://weights.pth',
]


@pytest.fixture
def services(
    tmp_path: Path, closed: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> Callable[[Path], None]:
    """Make each address lead to one file."""

    def lead_to(file: Path) -> None:
        monkeypatch.chdir(file.parent)
        monkeypatch.setenv('MMENGINE_HOME', str(file.parent))
        monkeypatch.setattr(torch.hub, 'get_dir', lambda: str(tmp_path / 'hub'))
        monkeypatch.setattr(
            torch.hub,
            'download_url_to_file',
            lambda url, to, progress: Path(to).write_bytes(file.read_bytes()),
        )
        urls = {'resnet18': URL, 'here': file.name, 'away': URL, 'resnet': URL}
        for table in ('torchvision_models', 'external_models', 'mmcls_models'):
            monkeypatch.setattr(closed, f'get_{table}', lambda: urls)
        client = _Client(file)
        monkeypatch.setattr(closed, 'get_file_backend', lambda *_, **__: client)
        pavi = SimpleNamespace(modelcloud=client)
        monkeypatch.setitem(sys.modules, 'pavi', pavi)

    return lead_to


@pytest.mark.parametrize('address', ADDRESSES)
def test_every_address(
    address: str,
    services: Callable[[Path], None],
    closed: ModuleType,
    tmp_path: Path,
    marker: Path,
) -> None:
    """A hostile file is refused wherever it is from, and a good one is loaded."""
    (tmp_path / 'good').mkdir()
    good = tmp_path / 'good' / 'weights.pth'
    torch.save({'state_dict': {'backbone.a': torch.ones(2)}}, good)
    services(good)
    loaded = closed.CheckpointLoader.load_checkpoint(address, 'cpu', 'silent')
    assert list(loaded['state_dict'].values())[0].tolist() == [1, 1]

    services(hostile.write_trick(tmp_path / 'weights.pth', 'getattr', marker))
    for cached in (tmp_path / 'hub').glob('*/*'):
        cached.unlink()
    # the second time a download is there already
    for _ in range(2):
        with pytest.raises(UnsafeContentError):
            closed.CheckpointLoader.load_checkpoint(address, 'cpu', 'silent')
    assert not marker.exists()


def test_the_variable_opens(
    closed: ModuleType, tmp_path: Path, marker: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Set to 0 everything is loaded, except where mmsnn itself reads."""
    path = str(hostile.write_trick(tmp_path / 'a.pth', 'getattr', marker))
    for value in ('', '1', 'yes', 'x'):
        monkeypatch.setenv(SWITCH, value)
        with pytest.raises(UnsafeContentError):
            closed.load_from_local(path, 'cpu')
    monkeypatch.setenv(SWITCH, '0')
    with always_safe(), pytest.raises(UnsafeContentError):
        closed.load_from_local(path, 'cpu')
    assert not marker.exists()
    assert 'state_dict' in closed.load_from_local(path, 'cpu')
    assert marker.exists()


def test_the_module_in_use(tmp_path: Path, marker: Path) -> None:
    """It is closed once, however often that is asked for."""
    module = sys.modules[NAME]
    readers = module._safe_torch_load, module.load_url
    finders = list(sys.meta_path)
    close_fallback()
    assert (module._safe_torch_load, module.load_url) == readers
    assert sys.meta_path == finders
    path = str(hostile.write_trick(tmp_path / 'a.pth', 'history', marker))
    with pytest.raises(UnsafeContentError):
        load_checkpoint(torch.nn.Linear(1, 1), path)
    assert not marker.exists()


def test_before_the_module_is_imported(monkeypatch: pytest.MonkeyPatch) -> None:
    """One finder waits for it."""
    monkeypatch.setattr(sys, 'meta_path', [])
    monkeypatch.delitem(sys.modules, NAME)
    close_fallback()
    close_fallback()
    (finder,) = sys.meta_path
    spec = finder.find_spec(NAME, mmengine.runner.__path__)
    assert execute(spec)._safe_torch_load.__module__ == checkpoint_readers.__name__
