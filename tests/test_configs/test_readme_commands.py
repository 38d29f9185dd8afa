"""Every command on the configs' pages: its tool, options, files and settings exist.

What ``--cfg-options`` changes builds a model. CONFIG, and options that stand alone in a
sentence, are for the config that the page named last.
"""

import re
import shlex
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from mmengine.config import Config

from mmsnn.cli.common.parser import Parser, set_up
from test_configs.files import CONFIGS, build, load

ROOT = CONFIGS.parent
PAGES = [
    CONFIGS / 'README.md',
    *sorted(CONFIGS.glob('*/README.md')),
    ROOT / 'docs/whole_detector.md',
]
BY_NAME = {path.stem: path.relative_to(ROOT) for path in CONFIGS.glob('*/*.py')}
PART = re.compile(r'```(?P<language>\w*)\n(?P<block>.*?)```|`(?P<inline>[^`]+)`', re.S)
SETTING = re.compile(r'(\w+\.)+\w+=\S+')


class Command(NamedTuple):
    page: str
    words: tuple[str, ...]

    def __str__(self) -> str:
        return f'{self.page}: {" ".join(self.words)}'


def last_config(text: str) -> str:
    """Return the path of the config that is named last."""
    names = re.findall(r'([\w.-]+)\.py\b', text)
    known = [BY_NAME[name] for name in names if name in BY_NAME]
    return str(known[-1] if known else min(BY_NAME.values()))


def commands_of_block(block: str) -> Iterator[list[str]]:
    variables: dict[str, str] = {}
    for line in block.replace('\\\n', ' ').splitlines():
        for name, value in variables.items():
            line = line.replace(f'${name}', value)
        words = shlex.split(line, comments=True)
        while words and (assignment := re.fullmatch(r'([A-Z]+)=(.*)', words[0])):
            variables[assignment[1]] = assignment[2]
            words = words[1:]
        if words:
            yield words


def commands_of_page(page: Path) -> Iterator[Command]:
    text = page.read_text(encoding='utf-8')
    title = str(page.parent.relative_to(ROOT))
    for part in PART.finditer(text):
        config = last_config(text[: part.start()])
        inline = part['inline'] or ''
        if part['language'] in ('bash', 'shell'):
            for words in commands_of_block(part['block']):
                yield Command(title, tuple(words))
        elif inline.startswith('--cfg-options'):
            yield Command(title, ('tools/train.py', config, *shlex.split(inline)))
        elif SETTING.fullmatch(inline):
            words = ('tools/train.py', config, '--cfg-options', inline)
            yield Command(title, words)
        elif inline.startswith(('tools/', 'python tools/', 'bash tools/')):
            words = tuple(config if w == 'CONFIG' else w for w in shlex.split(inline))
            yield Command(title, words)


COMMANDS = [command for page in PAGES for command in commands_of_page(page)]


def test_there_are_commands() -> None:
    assert {command.page for command in COMMANDS} >= {
        str(page.parent.relative_to(ROOT)) for page in PAGES[1:]
    } - {'configs/retinanet'}
    options = [c for c in COMMANDS if '--cfg-options' in c.words]
    assert len(options) >= 15


RUN_TOOL = re.compile(r"run_tool\('([\w.]+)'\)")


def parser_of(tool: str) -> Parser:
    """Return the parser of the command that a script of tools runs."""
    source = (ROOT / tool).read_text(encoding='utf-8')
    return set_up(Parser(), import_module(f'mmsnn.cli.{RUN_TOOL.search(source)[1]}'))


def as_python(words: tuple[str, ...]) -> tuple[str, list[str]]:
    """Return the tool that a launcher calls, and its arguments."""
    tool, *rest = words
    launcher, _, mode = Path(tool).stem.partition('_')
    if Path(tool).suffix != '.sh':
        return tool, rest
    if launcher == 'slurm':
        rest = rest[2:]
    # a config, for testing a checkpoint, then the number of GPUs or a work dir
    number = 1 if mode == 'train' else 2
    return f'tools/{mode}.py', rest[:number] + rest[number + 1 :]


def check_options(cfg: Config, options: dict[str, Any]) -> None:
    """Check that settings exist, and build the model that they change."""
    for key in options:
        parent, _, _ = key.rpartition('.')
        part: Any = cfg
        # what is new is new in an existing part, but for a model's own settings
        for name in parent.split('.') if parent and key[:6] != 'model.' else ():
            part = part[int(name)] if name.isdigit() else part[name]
        assert parent or key in cfg, key
    cfg.merge_from_dict(options)
    if any(key.startswith('model.') for key in options):
        build(cfg, 'meta')


@pytest.mark.parametrize('command', COMMANDS, ids=str)
def test_command(command: Command) -> None:
    first, *rest = command.words
    if first == 'make':
        makefile = (ROOT / 'Makefile').read_text(encoding='utf-8')
        assert re.search(rf'^{rest[0]}:', makefile, re.MULTILINE)
        return
    words = tuple(rest) if first in ('python', 'bash') else command.words
    if words[0] == '-c':
        compile(words[1], 'README', 'exec')
        return
    assert (ROOT / words[0]).is_file()
    tool, arguments = as_python(words)
    if tool not in ('tools/train.py', 'tools/test.py'):
        source = (ROOT / tool).read_text(encoding='utf-8')
        known = parser_of(tool).format_help() if RUN_TOOL.search(source) else source
        for option in arguments:
            assert not option.startswith('--') or option in known
        return
    if not arguments:
        return
    args = parser_of(tool).parse_args(arguments)
    assert (ROOT / args.config).is_file()
    cfg = load(ROOT / args.config)
    check_options(cfg, args.cfg_options or {})
    if tool == 'tools/test.py' and args.checkpoint != 'CHECKPOINT':
        # of the last epoch, in the config's work dir
        folder, file = Path(args.checkpoint).parts[-2:]
        assert file == f'epoch_{cfg.train_cfg.max_epochs}.pth'
        assert folder in (Path(args.config).stem, 'NAME_OF_CONFIG')
