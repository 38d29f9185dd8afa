"""The metafiles are made from the READMEs' tables, of every config."""

from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import yaml
from docs_tools import load_tool

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope='module')
def tool() -> ModuleType:
    return load_tool('metafiles')


@pytest.fixture(scope='module')
def models() -> list[dict[str, Any]]:
    index = yaml.safe_load((ROOT / 'model-index.yml').read_text(encoding='utf-8'))
    files = [
        yaml.safe_load((ROOT / path).read_text('utf-8')) for path in index['Import']
    ]
    return [model for file in files for model in file['Models']]


def test_they_are_generated(tool: ModuleType) -> None:
    for path, content in tool.files().items():
        assert path.read_text(encoding='utf-8') == content, (
            'run python tools/docs_tools/metafiles.py'
        )


def test_every_config_is_in_one(models: list[dict[str, Any]]) -> None:
    configs = [
        path.relative_to(ROOT).as_posix()
        for path in (ROOT / 'configs').glob('[!_]*/*.py')
    ]
    assert sorted(model['Config'] for model in models) == sorted(configs)


def test_reported_and_measured_numbers(models: list[dict[str, Any]]) -> None:
    metadata = [model['Metadata'] for model in models]
    reported = [facts for facts in metadata if 'Reported by' in facts]
    assert all(
        isinstance(facts.get('Reported Top 1', facts.get('Reported mAP')), float)
        for facts in reported
    )
    # a metric whose column has an unknown name would be one of the other facts
    others = {key for facts in metadata for key in facts if 'Reported' not in key}
    assert not {key for key in others if key.lower().startswith(('acc', 'top', 'map'))}
    measured = {model['Config'].split('/')[1] for model in models if 'Results' in model}
    assert measured == {'digits', 'fashion_mnist', 'spiking_retinanet'}


PAGE = """
| config | network | T | accuracy in the paper | top-5 | from |
|---|---|---|---|---|---|
| [`a`](a.py), the baseline | SG (BSG\\*) | 4 | 96.18 ± 0.03 | 99 % | Qiu et al. |
| [`b`](b.py) | | 6 | - | - | - |

| connection | ResNet18 | ResNet34 | from |
|---|---|---|---|
| SEW | [73.0](c.py) | [5](d.py) [20](e.py) | Fang et al., Table 2 |
"""


def test_tables(tool: ModuleType) -> None:
    """A config a row, its facts beside it; or networks as columns."""
    reported = {'Reported Top 1': 96.18, 'Reported Top 5': 99}
    assert tool.describe(PAGE) == {
        'a.py': dict(
            Network='SG (BSG*)', T=4, **reported, **{'Reported by': 'Qiu et al.'}
        ),
        'b.py': dict(T=6),
        'c.py': {
            'Network': 'SEW, ResNet18',
            'Reported Top 1': 73.0,
            'Reported by': 'Fang et al., Table 2',
        },
        'd.py': dict(Network='SEW, ResNet34'),
        'e.py': dict(Network='SEW, ResNet34'),
    }


@pytest.mark.parametrize(
    ('page', 'message'),
    [
        ('| config | mAP |\n|---|---|\n| [`a`](a.py) | 0.3 |\n', 'column "from"'),
        ('| net | SEW |\n|---|---|\n| small | [0.3](a.py) |\n', 'column "from"'),
        (
            '| config | mAP |\n|---|---|\n| [`a`](a.py) | many |\n',
            "'many' is not a num",
        ),
    ],
)
def test_mistakes_in_tables(tool: ModuleType, page: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        tool.describe(page)
