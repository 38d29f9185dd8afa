"""Shipped weights give the results that are stated for them."""

import json
import re
import sys
from pathlib import Path

import pytest
from mmengine.config import Config

from mmsnn.cli.common.shipped import configs_folder, shipped_configs
from mmsnn.cli.main import main
from mmsnn.utils.checkpoints import load_file
from mmsnn.utils.errors import UserError
from mmsnn.utils.shipped_configs import shipped_weights, use_shipped_weights

WEIGHTS = [config.name for config in shipped_configs() if config.has_weights]


def call(monkeypatch: pytest.MonkeyPatch, *words: object) -> None:
    monkeypatch.setattr(sys, 'argv', ['mmsnn', *map(str, words)])
    main()


@pytest.fixture(scope='module')
def digits(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the first 40 validation images of the digits detection set."""
    folder = tmp_path_factory.mktemp('digits')
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        call(patch, 'datasets', 'digits-detection', '--num-train', 1, '--num-val', 40)
    return folder


def test_every_file_belongs_to_a_config() -> None:
    files = Path(shipped_weights(f'mmsnn::{WEIGHTS[0]}')).parent.glob('*')
    stems = {Path(name).stem for name in WEIGHTS}
    assert {path.stem for path in files} == stems
    assert len(stems) >= 2


@pytest.mark.parametrize('name', WEIGHTS, ids=lambda name: Path(name).stem)
def test_published_map(name, digits, monkeypatch, tmp_path) -> None:
    monkeypatch.chdir(digits)
    call(monkeypatch, 'test', f'mmsnn::{name}', '--work-dir', tmp_path)
    columns = json.loads((tmp_path / 'coco_columns.json').read_text())
    found = columns['tables']['coco']['columns']['mAP']
    meta = load_file(shipped_weights(f'mmsnn::{name}'))['meta']
    # other images than the 200 of the stated mAP; wrong weights detect nothing
    assert found == pytest.approx(meta['mAP'], abs=0.06)
    assert len(meta['annotations_sha256']) == 64


def test_no_weights_without_a_shipped_config(tmp_path) -> None:
    other = tmp_path / Path(WEIGHTS[0]).name
    other.write_text('')
    assert shipped_weights(str(other)) is None
    assert shipped_weights(str(configs_folder() / WEIGHTS[0])) is not None
    with pytest.raises(UserError, match='nobody'):
        shipped_weights('nobody::folder/file.py')


def test_load_from_takes_the_name_of_a_shipped_config() -> None:
    cfg = Config(dict(load_from=f'mmsnn::{WEIGHTS[0]}'))
    use_shipped_weights(cfg)
    assert Path(cfg.load_from).is_file()
    for other in (None, 'epoch_1.pth'):
        cfg = Config(dict(load_from=other))
        use_shipped_weights(cfg)
        assert cfg.load_from == other
    name = next(config.name for config in shipped_configs() if not config.has_weights)
    with pytest.raises(UserError, match=re.escape(name)):
        use_shipped_weights(Config(dict(load_from=f'mmsnn::{name}')))
