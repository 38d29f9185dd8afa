import importlib
import importlib.metadata
import importlib.util
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from types import ModuleType

import pytest

from mmsnn._compat import (
    DEPENDENCIES,
    Dependency,
    check_dependencies,
    find_problem,
    has_extension,
)

TOY = Dependency(
    'toy_module', ('new-toy', 'toy'), '>=2.1,<2.4', '2.3.6', 'pip install new-toy'
)


class Metadata:
    """Takes the place of the installed distributions."""

    def __init__(self) -> None:
        self.versions: dict[str, str] = {}

    def version(self, name: str) -> str:
        if name not in self.versions:
            raise importlib.metadata.PackageNotFoundError(name)
        return self.versions[name]


@pytest.fixture
def metadata(monkeypatch: pytest.MonkeyPatch) -> Metadata:
    fake = Metadata()
    monkeypatch.setattr(importlib.metadata, 'version', fake.version)
    return fake


@pytest.fixture
def module(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """Return a module of TOY's name that can be imported."""
    fake = ModuleType(TOY.module)
    monkeypatch.setitem(sys.modules, TOY.module, fake)
    return fake


def test_this_environment_passes() -> None:
    check_dependencies()


def test_all_missing_packages_are_told_at_once(metadata: Metadata) -> None:
    second = Dependency('other_toy', ('other',), '>=1', '1.0', 'pip install other')
    with pytest.raises(ImportError) as error:
        check_dependencies((TOY, second))
    for part in ('toy_module is not installed', '>=2.1,<2.4', 'pip install new-toy'):
        assert part in str(error.value)
    assert 'other_toy' in str(error.value)
    assert find_problem(replace(TOY, required=False)) is None


@pytest.mark.parametrize('distribution', TOY.distributions)
@pytest.mark.parametrize(
    ('version', 'works'),
    [
        ('2.1', True),
        ('2.3.6', True),
        ('2.3.6+cu128', True),
        ('2.2.0rc1', True),
        ('2.4.0a0', False),
        ('2.0.0', False),
        ('2.4.0', False),
        ('3.0', False),
        ('no version', False),
    ],
)
def test_versions_under_both_names(
    metadata: Metadata,
    module: ModuleType,
    distribution: str,
    version: str,
    works: bool,
) -> None:
    metadata.versions[distribution] = version
    problem = find_problem(TOY)
    assert (problem is None) == works
    if problem is not None:
        assert f'toy_module {version} was found' in problem
        assert '>=2.1,<2.4' in problem


@pytest.mark.parametrize('names', [(), TOY.distributions])
def test_the_module_decides_where_the_names_do_not(
    metadata: Metadata, module: ModuleType, names: tuple[str, ...]
) -> None:
    metadata.versions.update(dict.fromkeys(names, '2.2'))
    module.__version__ = '1.0'
    assert 'toy_module 1.0 was found' in (find_problem(TOY) or '')
    module.__version__ = '2.2'
    assert find_problem(TOY) is None


def test_a_module_without_a_version(metadata: Metadata, module: ModuleType) -> None:
    assert 'without a version' in (find_problem(TOY) or '')


def test_a_module_that_fails_to_import(
    metadata: Metadata, module: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(name: str) -> ModuleType:
        raise ImportError('libGL.so.1: cannot open')

    monkeypatch.setattr(importlib, 'import_module', fail)
    assert 'libGL.so.1' in (find_problem(TOY) or '')


def test_mmcv_without_its_operators(
    metadata: Metadata, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    package = tmp_path / TOY.module
    package.mkdir()
    (package / '__init__.py').touch()
    monkeypatch.syspath_prepend(tmp_path)
    assert not has_extension(TOY.module, '_ext')
    (package / '_ext.cpython-311-x86_64-linux-gnu.so').touch()
    assert has_extension(TOY.module, '_ext')
    (mmcv,) = (item for item in DEPENDENCIES if item.module == 'mmcv')
    monkeypatch.setattr('mmsnn._compat.has_extension', lambda *_: False)
    metadata.versions['onedl-mmcv'] = '2.3.6'
    assert 'without its compiled operators' in (find_problem(mmcv) or '')


def test_checking_imports_nothing_heavy() -> None:
    # runpy gives dataclasses no module to look annotations up in without a name.
    code = (
        'import runpy, sys\n'
        "run = runpy.run_path(sys.argv[1], run_name='mmsnn_compat')\n"
        "run['check_dependencies']()\n"
        "print(sorted({'torch', 'mmcv', 'mmdet', 'numpy'} & set(sys.modules)))\n"
    )
    path = sys.modules['mmsnn._compat'].__file__ or ''
    run = subprocess.run(
        [sys.executable, '-c', code, path], capture_output=True, text=True
    )
    assert run.stdout.strip() == '[]', run.stderr
