"""The guides say what is true: tables are generated, paths exist, examples build."""

import json
import re
import shlex
from pathlib import Path

import pytest
import torch
from docs_tools import load_tool
from mmengine.config import Config
from mmengine.registry import MODELS

import mmsnn  # noqa: F401
from mmsnn.cli.main import make_parser
from mmsnn.models import FAMILIES
from mmsnn.models.residual import AddMerge, Wiring

ROOT = Path(__file__).resolve().parents[1]
DOCS = sorted((ROOT / 'docs').glob('*.md'))
PAGES = [*DOCS, ROOT / 'README.md']
GUIDE = (ROOT / 'docs' / 'families.md').read_text(encoding='utf-8')


@pytest.mark.parametrize(
    'name',
    [
        'energy_tables',
        'families',
        'performance',
        'streaming_rates',
        pytest.param('nir_families', marks=pytest.mark.slow),
    ],
)
def test_the_page_is_generated(name):
    if name == 'nir_families':
        pytest.importorskip('nir')
    tool = load_tool(name)
    page, given = tool.PAGE.read_text(encoding='utf-8'), []
    if name == 'streaming_rates':
        given.append(json.loads(tool.RESULT.read_text(encoding='utf-8')))
    assert tool.render(page, *given) == page, f'run python tools/docs_tools/{name}.py'
    with pytest.raises(ValueError, match=f'{tool.PAGE.name} must hold the lines'):
        tool.render('a page without marks', *given)


def test_the_tool_writes_the_page(tmp_path, monkeypatch):
    tool = load_tool('families')
    page = tmp_path / 'families.md'
    page.write_text(
        f'before\n{tool.BEGIN}\nformer row\n{tool.END}\nafter\n', encoding='utf-8'
    )
    monkeypatch.setattr(tool, 'PAGE', page)
    monkeypatch.setattr('sys.argv', ['families.py'])
    tool.main()
    written = page.read_text(encoding='utf-8')
    assert written.startswith('before\n')
    assert written.endswith('\nafter\n')
    assert 'former row' not in written
    assert written.count('\n| **') == len(FAMILIES)


def test_every_family_has_a_row_that_builds_it():
    rows = dict(re.findall(r'^\| \*\*(.+?)\*\* \| `(.+?)` \|', GUIDE, re.MULTILINE))
    assert rows.keys() == FAMILIES.keys()
    for name, arguments in rows.items():
        cfg = eval(f'dict({arguments}, depth=10)')
        with torch.device('meta'):
            backbone = MODELS.build(cfg)
        assert backbone.family == FAMILIES[name] or name == 'SG-BSG*', name
        assert backbone.family.citation == FAMILIES[name].citation


@pytest.mark.parametrize('page', PAGES, ids=lambda page: page.name)
def test_paths_exist(page):
    text = page.read_text(encoding='utf-8')
    for link in re.findall(r'\]\((?!http)([^)#]+)', text):
        assert (page.parent / link).exists(), link
    for path in re.findall(r'(?:mmsnn|configs|tools|docs|tests)/[\w./-]*\w', text):
        assert (ROOT / path).exists(), path


@pytest.mark.parametrize('page', PAGES, ids=lambda page: page.name)
def test_commands_are_known(page):
    blocks = re.findall(r'```bash\n(.*?)```', page.read_text(encoding='utf-8'), re.S)
    lines = '\n'.join(blocks).replace('\\\n', ' ').splitlines()
    for line in lines:
        words = shlex.split(line, comments=True)
        if words and words[0] == 'mmsnn':
            make_parser().parse_args(words[1:])


@pytest.mark.parametrize('part', ['SevenBNet', 'DenseNetSNN', 'PooledResNet', 'VGGSNN'])
def test_named_networks_build(part):
    example = re.search(rf"`(type='mmsnn\.{part}'.+?)`", GUIDE)[1]
    with torch.device('meta'):
        assert MODELS.build(eval(f'dict({example})')).out_channels


@pytest.mark.parametrize(('number', 'family'), [(0, 'PA-B'), (1, 'PA-A')])
def test_the_command_line_switches_the_family(number, family):
    commands = re.findall(r'```bash\n(.*?)```', GUIDE, re.DOTALL)[number]
    words = commands.replace('\\\n', ' ').splitlines()[-1].split()
    config, options = words[2], words[words.index('--cfg-options') + 1 :]
    cfg = Config.fromfile(ROOT / config)
    cfg.merge_from_dict(dict(option.split('=') for option in options))
    with torch.device('meta'):
        assert MODELS.build(cfg.model.backbone).family is FAMILIES[family]


def test_contributing_shows_a_row_that_is_right():
    text = (ROOT / 'CONTRIBUTING.md').read_text(encoding='utf-8')
    snippet = re.search(r"'Spiking': (Wiring\(.*?\)),\n", text)[1]
    shown = eval(snippet, {'Wiring': Wiring, 'AddMerge': AddMerge})
    real = FAMILIES['Spiking']
    for part in ('merge', 'unit', 'last_unit', 'projection', 'identity', 'post'):
        assert getattr(shown, part) == getattr(real, part), part
