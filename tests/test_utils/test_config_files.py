"""Reading configs of each format, without running code from those that are data."""

from pathlib import Path

import pytest
from mmengine.fileio.handlers.registry_utils import file_handlers

from mmsnn.utils.errors import UserError
from mmsnn.utils.preflight import load_config

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
def test_plain_data_is_read(suffix: str, tmp_path: Path) -> None:
    texts = dict(py='model = dict(depth=18)\n_base_ = "base.yaml"\n')
    texts['json'] = '{"model": {"depth": 18}, "_base_": "base.yaml"}'
    texts['yaml'] = texts['yml'] = 'model: {depth: 18}\n_base_: base.yaml\n'
    (tmp_path / 'base.yaml').write_text('work_dir: [1, 2.5, null]\n')
    path = tmp_path / f'a.{suffix}'
    path.write_text(texts[suffix])
    cfg = load_config(str(path), {'model.depth': 34})
    assert (cfg.model.depth, cfg.work_dir) == (34, [1, 2.5, None])
