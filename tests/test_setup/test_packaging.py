"""pip does not replace an installed PyTorch."""

import runpy
import sysconfig
from pathlib import Path

import pytest
import setuptools


def _run_setup(
    root: Path, site: Path, version: str, monkeypatch: pytest.MonkeyPatch
) -> bool:
    """Run setup.py beside a version of torch; return whether it reaches setuptools."""
    info = site / f'torch-{version}.dist-info'
    info.mkdir()
    (info / 'METADATA').write_text(
        f'Metadata-Version: 2.1\nName: torch\nVersion: {version}\n'
    )
    reached: list[bool] = []
    paths = {'purelib': str(site), 'platlib': str(site)}
    monkeypatch.setattr(sysconfig, 'get_paths', lambda: paths)
    monkeypatch.setattr(setuptools, 'setup', lambda: reached.append(True))
    runpy.run_path(str(root / 'setup.py'), run_name='__main__')
    return bool(reached)


@pytest.mark.parametrize('version', ['2.6.0+cu124', '2.10.0', '3.0.0'])
def test_a_new_enough_torch(
    root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, version: str
) -> None:
    assert _run_setup(root, tmp_path, version, monkeypatch)


@pytest.mark.parametrize('version', ['2.4.1+cu121', '2.5.0', '1.13.1'])
def test_an_old_torch_is_not_replaced(
    root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, version: str
) -> None:
    with pytest.raises(SystemExit, match='upgrade torch there first') as stop:
        _run_setup(root, tmp_path, version, monkeypatch)
    assert version in str(stop.value)
