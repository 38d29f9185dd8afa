"""``mmsnn configs``: names, descriptions and numbers of what is shipped."""

from argparse import Namespace
from pathlib import Path

import pytest

import mmsnn
from mmsnn.cli import configs
from mmsnn.cli.common import shipped

METAFILE = """
Collections: [{Name: Digits}]
Models:
- Name: small
  Metadata: {Training Data: digits, Network: SG ResNet10, Reported mAP: 0.25}
  Results:
  - {Task: Detection, Metrics: {box mAP: 0.3, box AP50: 0.5}}
- Name: other
  Metadata: {Reported mAP: 0.1}
"""
Captured = pytest.CaptureFixture[str]


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An installed package with configs of its own."""
    package = tmp_path / 'mmsnn'
    folder = package / '.mim' / 'configs' / 'digits'
    folder.mkdir(parents=True)
    (folder.parent / '_base_').mkdir()
    (folder.parent / '_base_' / 'hidden.py').touch()
    (folder / 'small.py').write_text('model = 1\n')
    (folder / 'other.py').write_text('# Fig. 4: another.\n# More.\nmodel = 1\n')
    (folder / 'metafile.yml').write_text(METAFILE)
    monkeypatch.setattr(mmsnn, '__file__', str(package / '__init__.py'))
    return package


def listed(pattern: str, capsys: Captured) -> str:
    configs.main(Namespace(pattern=pattern))
    return capsys.readouterr().out


def test_descriptions_and_numbers(package: Path, capsys: Captured) -> None:
    assert listed('', capsys) == (
        'mmsnn::digits/other.py\n'
        '    Fig. 4: another.\n'
        '    in the paper: mAP 0.1\n'
        'mmsnn::digits/small.py\n'
        '    Training Data: digits; Network: SG ResNet10\n'
        '    measured: box mAP 0.3, box AP50 0.5\n'
        '    in the paper: mAP 0.25\n'
    )


@pytest.mark.parametrize('pattern', ['SMALL', 'digits/s', 'mmsnn::digits/sm', 'd*s*l'])
def test_pattern(package: Path, capsys: Captured, pattern: str) -> None:
    names = [n for n in listed(pattern, capsys).splitlines() if n[0] != ' ']
    assert names == ['mmsnn::digits/small.py']


def test_without_metafile(package: Path, capsys: Captured) -> None:
    (package / '.mim/configs/digits/metafile.yml').unlink()
    assert listed('small', capsys) == 'mmsnn::digits/small.py\n'


def test_all_that_is_shipped() -> None:
    root = Path(__file__).resolve().parents[2] / 'configs'
    names = [config.name for config in shipped.shipped_configs()]
    expected = sorted(root.glob('[!_]*/*.py'))
    assert names == [str(path.relative_to(root)) for path in expected]
    assert len(names) > 200
