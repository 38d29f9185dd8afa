"""Reading configs of each format, without running code from those that are data."""

import itertools
import sys
from pathlib import Path

import pytest
from mmengine.fileio.handlers.registry_utils import file_handlers

from mmsnn.utils.config_files import load_config
from mmsnn.utils.errors import UserError

TAG = 'a: !!python/object/apply:pathlib.Path.touch [!!python/object/apply:pathlib.Path'


@pytest.mark.parametrize('suffix', ['yaml', 'yml'])
@pytest.mark.parametrize('base', [False, True])
def test_a_tag_is_refused(suffix: str, base: bool, tmp_path: Path) -> None:
    """In the config itself and in one that it is based on."""
    marker = tmp_path / 'marker'
    handlers = dict(file_handlers)
    path = tmp_path / f'a.{suffix}'
    path.write_text(f'{TAG} [{marker}]]\n')
    if base:
        path = tmp_path / f'b.{suffix}'
        path.write_text(f'_base_: a.{suffix}\nc: 1\n')
    with pytest.raises(UserError, match=f"config '{path}' cannot be read: .*python/ob"):
        load_config(str(path))
    assert not marker.exists()
    assert file_handlers == handlers


@pytest.mark.parametrize('suffix', ['yaml', 'yml', 'json', 'py'])
def test_plain_data_is_read_and_changed(suffix: str, tmp_path: Path) -> None:
    texts = dict(py='model = dict(depth=18, neck=[dict(a=1)])\n_base_ = "base.yaml"\n')
    json = '"model": {"depth": 18, "neck": [{"a": 1}]}, "_base_": "base.yaml"'
    texts['json'] = texts['yaml'] = texts['yml'] = f'{{{json}}}'
    (tmp_path / 'base.yaml').write_text('work_dir: [1, 2.5, null]\n')
    path = tmp_path / f'a.{suffix}'
    path.write_text(texts[suffix])
    cfg = load_config(str(path), {'model.depth': 34, 'model.neck.0.a': 2})
    assert cfg.model == dict(depth=34, neck=[dict(a=2)])
    assert cfg.work_dir == [1, 2.5, None]


@pytest.mark.parametrize(
    ('template', 'message'),
    [
        ('{name}: [{others}]\n', 'at most 100,000 values'),
        # merged while the file is read
        ('{name}: {{<<: [{others}]}}\n', 'at most 100,000 values'),
        ('{name}: [*{name}]\n', 'line 2 has an alias of itself'),
    ],
)
def test_aliases_that_multiply(template: str, message: str, tmp_path: Path) -> None:
    path = tmp_path / 'a.yaml'
    lines = ['a: &a {x: 1}\n']
    for before, name in itertools.pairwise('abcdefghijklm'):
        others = ', '.join([f'*{before}'] * 9)
        line = template.format(name=name, others=others)
        lines.append(line.replace(f'{name}:', f'{name}: &{name}', 1))
    path.write_text(''.join(lines))
    with pytest.raises(UserError, match=message):
        load_config(str(path))


def test_modules_of_an_option_are_imported(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(tmp_path)
    (tmp_path / 'imported_by_option.py').touch()
    path = tmp_path / 'a.py'
    path.write_text('a = 1\n')
    load_config(str(path), {'custom_imports.imports': ['imported_by_option']})
    assert 'imported_by_option' in sys.modules
    for wrong in ('nope', 3):
        with pytest.raises(UserError, match=f'custom_imports.*{wrong}'):
            load_config(str(path), {'custom_imports.imports': wrong})
    with pytest.raises(UserError, match='custom_imports modules cannot'):
        load_config(str(path), {'custom_imports': 'modules'})
    assert load_config(str(path), {'custom_imports': None}).custom_imports is None


@pytest.mark.parametrize(
    ('name', 'known'),
    [
        ('nobody::retinanet/a.py', 'mmdet, '),
        ('mmdet3d::retinanet/a.py', 'not installed'),
        ('mmdet::retinanet/retinanet_r50_fpn_1x_cocoo.py', '1x_coco.py'),
    ],
)
@pytest.mark.parametrize('base', [False, True])
def test_a_config_that_no_package_ships(
    name: str, known: str, base: bool, tmp_path: Path
) -> None:
    path = name
    if base:
        path = str(tmp_path / 'a.py')
        Path(path).write_text(f'_base_ = {name!r}\n')
    with pytest.raises(UserError, match=f'{name}.*{known}'):
        load_config(path)


def test_configs_of_packages_and_their_scopes(tmp_path: Path) -> None:
    """The types of another package's base config belong to that package's scope."""
    path = tmp_path / 'a.py'
    ours = 'mmsnn::retinanet/retinanet_r18_fpn_8xb2-amp-72e_coco.py'
    path.write_text(f'_base_ = {ours!r}\n')
    cfg = load_config(str(path))
    assert '_scope_' not in cfg.train_dataloader.dataset
    assert cfg.to_dict() == load_config(ours).to_dict()
    path.write_text("_base_ = 'mmdet::_base_/models/retinanet_r50_fpn.py'\n")
    assert load_config(str(path)).model._scope_ == 'mmdet'
