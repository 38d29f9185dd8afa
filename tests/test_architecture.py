"""Imports follow the arrow rule, and there are no circles."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

PACKAGE = Path(__file__).resolve().parents[1] / 'mmsnn'

# What each room may import; every room may import the foundation.
FOUNDATION = {'_compat', 'registry', 'utils', 'version'}
ALLOWED = {
    'ops': set(),
    'utils': set(),
    'models': {'ops'},
    'datasets': {'ops', 'models'},
    'evaluation': {'datasets'},
    'deploy': {'ops', 'models', 'streaming'},
    'streaming': {'ops', 'models'},
    'analysis': {'ops', 'models', 'datasets', 'deploy', 'streaming'},
    'inference': {'ops', 'models', 'datasets', 'deploy', 'streaming', 'analysis'},
}
ALLOWED['reporting'] = ALLOWED['analysis'] | {'analysis', 'evaluation'}
ALLOWED['engine'] = ALLOWED['reporting'] | {'reporting'}
ALLOWED['web'] = ALLOWED['engine']
ALLOWED['cli'] = {*ALLOWED}
HEAVY = {'mmcv', 'mmdet', 'mmpretrain', 'spikingjelly', 'matplotlib'}


def imports(path: Path) -> Iterator[tuple[str, bool]]:
    """Yield the full name of each imported module, and whether it is at the top."""
    tree = ast.parse(path.read_text(encoding='utf-8'))
    parts = ('mmsnn', *path.relative_to(PACKAGE).with_suffix('').parts)
    package = parts[:-1]
    top = {id(node) for node in tree.body}
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else ()
            name = '.'.join((*base, *filter(None, [node.module])))
            yield name, id(node) in top
            for alias in node.names:
                yield f'{name}.{alias.name}', id(node) in top
        elif isinstance(node, ast.Import):
            for alias in node.names:
                yield alias.name, id(node) in top


def files(room: str) -> list[Path]:
    return sorted((PACKAGE / room).rglob('*.py'))


def test_every_room_has_its_rule() -> None:
    rooms = {path.parent.name for path in PACKAGE.glob('*/__init__.py')}
    assert rooms == ALLOWED.keys()


@pytest.mark.parametrize('room', ALLOWED)
def test_arrows(room: str) -> None:
    allowed = ALLOWED[room] | FOUNDATION | {room}
    if room == 'ops':
        allowed = {'ops'}
    wrong = {
        f'{path.relative_to(PACKAGE)} imports {name}'
        for path in files(room)
        for name, _ in imports(path)
        if name.startswith('mmsnn.') and name.split('.')[1] not in allowed
    }
    assert not wrong


def test_analysis_draws_nothing() -> None:
    names = {name for path in files('analysis') for name, _ in imports(path)}
    assert not [name for name in names if name.startswith('matplotlib')]


@pytest.mark.parametrize('room', ['ops', 'models'])
def test_rooms_that_do_without_openmmlab(room: str) -> None:
    wrong = {
        f'{path.relative_to(PACKAGE)} imports {name}'
        for path in files(room)
        for name, top in imports(path)
        # necks and heads derive from MMDetection's
        if top
        and path.parent.name not in ('necks', 'heads')
        and name.split('.')[0] in (HEAVY | ({'mmengine'} if room == 'ops' else set()))
    }
    assert not wrong


def test_no_circles() -> None:
    """No module at whose top another is imported that leads back to it."""
    modules = {}
    for path in PACKAGE.rglob('*.py'):
        parts = path.relative_to(PACKAGE.parent).with_suffix('').parts
        modules['.'.join(parts).removesuffix('.__init__')] = path
    graph = {
        name: {
            target
            for target, top in imports(path)
            if top and target in modules and not name.startswith(f'{target}.')
        }
        - {name}
        for name, path in modules.items()
        if path.name != '__init__.py'
    }
    done: set[str] = set()

    def visit(name: str, trail: tuple[str, ...]) -> None:
        assert name not in trail, ' -> '.join((*trail, name))
        if name not in done:
            for target in graph.get(name, ()):
                visit(target, (*trail, name))
            done.add(name)

    for name in graph:
        visit(name, ())
