"""The package's metadata, and that pip does not replace an installed PyTorch."""

import runpy
import sysconfig
import tomllib
from pathlib import Path

import pytest
import setuptools


def _run_setup(root: Path, site: Path, monkeypatch: pytest.MonkeyPatch) -> bool:
    """Run setup.py as for an environment; return whether it reaches setuptools."""
    reached: list[bool] = []
    paths = {'purelib': str(site), 'platlib': str(site)}
    monkeypatch.setattr(sysconfig, 'get_paths', lambda: paths)
    monkeypatch.setattr(setuptools, 'setup', lambda: reached.append(True))
    runpy.run_path(str(root / 'setup.py'), run_name='__main__')
    return bool(reached)


def _install_torch(site: Path, version: str) -> None:
    info = site / f'torch-{version}.dist-info'
    info.mkdir()
    (info / 'METADATA').write_text(
        f'Metadata-Version: 2.1\nName: torch\nVersion: {version}\n'
    )


def test_files_that_are_not_python_are_packaged(root: Path) -> None:
    settings = tomllib.loads((root / 'pyproject.toml').read_text())
    package_data = settings['tool']['setuptools']['package-data']
    packaged = {
        path
        for package, patterns in package_data.items()
        for pattern in patterns
        for path in (root / package.replace('.', '/')).glob(pattern)
    }
    others = {
        path
        for path in (root / 'mmsnn').rglob('*')
        if path.is_file() and path.suffix not in ('.py', '.pyc')
    }
    assert packaged == others


@pytest.mark.parametrize('version', ['2.6.0+cu124', '2.10.0', '3.0.0'])
def test_a_new_enough_torch_is_welcome(
    root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, version: str
) -> None:
    _install_torch(tmp_path, version)
    assert _run_setup(root, tmp_path, monkeypatch)


@pytest.mark.parametrize('version', ['2.4.1+cu121', '2.5.0', '1.13.1'])
def test_an_old_torch_is_not_replaced(
    root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, version: str
) -> None:
    _install_torch(tmp_path, version)
    with pytest.raises(SystemExit, match='upgrade torch there first') as stop:
        _run_setup(root, tmp_path, monkeypatch)
    assert version in str(stop.value)
