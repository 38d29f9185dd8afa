import runpy
import sysconfig
from pathlib import Path

import pytest
import setuptools

import mmsnn


def _run_setup(
    root: Path, site: Path, monkeypatch: pytest.MonkeyPatch
) -> dict[str, object]:
    """Run setup.py as for an environment; return what it tells setuptools."""
    told: dict[str, object] = {}
    paths = {'purelib': str(site), 'platlib': str(site)}
    monkeypatch.setattr(sysconfig, 'get_paths', lambda: paths)
    monkeypatch.setattr(setuptools, 'setup', lambda **kwargs: told.update(kwargs))
    monkeypatch.chdir(root)
    runpy.run_path(str(root / 'setup.py'), run_name='__main__')
    return told


def _install_torch(site: Path, version: str) -> None:
    info = site / f'torch-{version}.dist-info'
    info.mkdir()
    (info / 'METADATA').write_text(
        f'Metadata-Version: 2.1\nName: torch\nVersion: {version}\n'
    )


def test_what_the_package_tells(
    root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    told = _run_setup(root, tmp_path, monkeypatch)
    assert told['version'] == mmsnn.__version__
    assert told['extras_require'].keys() == {'demo', 'tests', 'lint'}
    assert {'mmsnn', 'mmsnn.models'} <= set(told['packages'])
    assert all(name.partition('.')[0] == 'mmsnn' for name in told['packages'])


@pytest.mark.parametrize('version', ['2.6.0+cu124', '2.10.0', '3.0.0'])
def test_a_new_enough_torch_is_welcome(
    root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, version: str
) -> None:
    _install_torch(tmp_path, version)
    assert _run_setup(root, tmp_path, monkeypatch)['name'] == 'mmsnn'


@pytest.mark.parametrize('version', ['2.4.1+cu121', '2.5.0', '1.13.1'])
def test_an_old_torch_is_not_replaced(
    root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, version: str
) -> None:
    _install_torch(tmp_path, version)
    with pytest.raises(SystemExit, match='upgrade torch there first') as stop:
        _run_setup(root, tmp_path, monkeypatch)
    assert version in str(stop.value)
