"""``mmsnn COMMAND``: dispatch, help texts, errors, completion, the scripts in tools."""

import os
import re
import runpy
import shlex
import subprocess
import sys
from collections.abc import Callable, Iterator
from importlib import import_module
from pathlib import Path

import pytest

import mmsnn
from mmsnn.cli.common import parser as parsers
from mmsnn.cli.common.reports import command_line, versions
from mmsnn.cli.main import COMMANDS, make_parser

ROOT = Path(__file__).resolve().parents[2]
RUN_TOOL = re.compile(r"run_tool\('([\w.]+)'\)")
SCRIPTS = {
    path: match[1]
    for path in sorted((ROOT / 'tools').rglob('*.py'))
    if (match := RUN_TOOL.search(path.read_text(encoding='utf-8')))
}
Call = Callable[..., int]
Captured = pytest.CaptureFixture[str]


def module_of(command: str) -> str:
    return command.replace('-', '_')


def examples() -> Iterator[list[str]]:
    """The command lines in the docstrings of all commands."""
    names = [*map(module_of, COMMANDS)]
    names += ['datasets.digits_detection', 'datasets.event_digits', 'datasets.events']
    for name in names:
        text = import_module(f'mmsnn.cli.{name}').__doc__.partition('Examples:\n')[2]
        lines = text.replace('\\\n', ' ').strip().splitlines()
        assert lines, name
        yield from (shlex.split(line) for line in lines)


@pytest.mark.parametrize('words', list(examples()), ids=' '.join)
def test_example(
    words: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert words[0] == 'mmsnn'
    args = make_parser().parse_args(words[1:])
    assert args.command.__module__.startswith(f'mmsnn.cli.{module_of(words[1])}')


@pytest.mark.parametrize('words', list(examples()), ids=' '.join)
def test_imports_of_every_command_are_quiet(
    words: list[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: Captured,
    run_mmsnn: Call,
) -> None:
    monkeypatch.chdir(tmp_path)
    command = sys.modules[make_parser().parse_args(words[1:]).command.__module__]
    (tmp_path / 'noisy.py').write_text(
        "print('Could not import OneDL. Skipping OneDL datasets.')\nprint('kept')"
    )
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, 'noisy', raising=False)
    monkeypatch.setattr('mmsnn.cli.common.quiet_imports._NOISY', ('noisy',))
    monkeypatch.setattr(sys, 'meta_path', sys.meta_path[:])
    monkeypatch.setattr(command, 'main', lambda args: import_module('noisy'))
    assert run_mmsnn(*words[1:]) == 0
    assert capsys.readouterr().out == 'kept\n'


def test_help_is_a_line_per_command(
    run_mmsnn: Call, capsys: Captured, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv('COLUMNS', '80')
    assert run_mmsnn('--help') == 0
    printed = capsys.readouterr().out
    for command in COMMANDS:
        assert re.search(rf'^  {command} +[A-Z].*[^.]$', printed, re.MULTILINE)
    assert max(map(len, printed.splitlines())) <= 80


def test_help_of_a_command(run_mmsnn: Call, capsys: Captured) -> None:
    assert run_mmsnn('energy', '--help') == 0
    printed = capsys.readouterr().out
    assert printed.startswith('usage: mmsnn energy ')
    assert 'examples:\n  mmsnn energy CONFIG CHECKPOINT' in printed


def test_no_command(run_mmsnn: Call, capsys: Captured) -> None:
    assert run_mmsnn() == 2
    assert 'usage: mmsnn ' in capsys.readouterr().out


@pytest.mark.parametrize(
    ('words', 'parts'),
    [
        (['trian'], ["'trian'", "'train'", 'mmsnn --help']),
        (['energy'], ['config', 'mmsnn energy --help']),
        (['train', 'x.py', '--ampp'], ['--ampp']),
        (['datasets', 'imagenet'], ["'imagenet'", "'events'"]),
        (['train', 'none.py'], ["config 'none.py' does not exist"]),
        (['train', 'none.py', '--cfg-options', 'lr'], ["'lr'", 'KEY=VALUE']),
        (['configs', 'nothing'], ["'nothing'"]),
    ],
)
def test_mistake_is_one_line(
    run_mmsnn: Call, capsys: Captured, words: list[str], parts: list[str]
) -> None:
    assert run_mmsnn(*words) == 2
    printed = capsys.readouterr()
    assert not printed.out
    (line,) = printed.err.splitlines()
    assert line.startswith('error: ')
    assert not [part for part in parts if part not in line]


def test_version_by_the_module(
    capsys: Captured, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, 'argv', ['__main__.py', '--version'])
    with pytest.raises(SystemExit) as end:
        runpy.run_module('mmsnn', run_name='__main__')
    assert not end.value.code
    assert capsys.readouterr().out == f'mmsnn {mmsnn.__version__}\n'


def test_frameworks_that_do_not_fit(
    run_mmsnn: Call, capsys: Captured, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse() -> None:
        raise ImportError('mmsnn cannot be used:\n  - mmdet is missing')

    monkeypatch.setattr(parsers, 'check_dependencies', refuse)
    monkeypatch.setattr('mmsnn.cli.common.exit_codes.check_dependencies', refuse)
    assert run_mmsnn('train', 'x.py') == 2
    error = capsys.readouterr().err
    assert error == 'error: mmsnn cannot be used: - mmdet is missing\n'
    assert run_mmsnn('train', '--help') == 0


def test_completion() -> None:
    line = 'mmsnn gradient-flow --wei'
    done = subprocess.run(
        ['bash', '-c', f'{shlex.quote(sys.executable)} -m mmsnn 8>&1'],
        env={
            **os.environ,
            'PYTHONPATH': str(ROOT),
            '_ARGCOMPLETE': '1',
            'COMP_LINE': line,
            'COMP_POINT': str(len(line)),
        },
        capture_output=True,
        text=True,
    )
    assert done.stdout.strip() == '--weights'


@pytest.mark.parametrize('path', SCRIPTS, ids=lambda path: path.name)
def test_script_is_a_few_lines(path: Path) -> None:
    assert len(path.read_text(encoding='utf-8').splitlines()) <= 15
    # what `python tools/SCRIPT` needs in a checkout that is not installed
    code = path.read_text(encoding='utf-8')
    ups = len(path.relative_to(ROOT).parents) - 1
    assert f'parents[{ups}]' in code


NO_TOOLS = {'anytime', 'configs', 'datasets', 'doctor', 'export', 'gradcam', 'serve'}


def test_every_command_that_was_a_tool_has_a_script() -> None:
    commands = {*map(module_of, COMMANDS), 'datasets.digits_detection'}
    commands |= {'datasets.events'}
    assert {*SCRIPTS.values()} == commands - NO_TOOLS


def test_the_scripts_options_are_the_commands(
    capsys: Captured, monkeypatch: pytest.MonkeyPatch, run_mmsnn: Call
) -> None:
    path = ROOT / 'tools/analysis_tools/get_flops.py'
    monkeypatch.setattr(sys, 'path', sys.path[:])
    monkeypatch.setattr(sys, 'argv', [str(path), '--help'])
    with pytest.raises(SystemExit):
        runpy.run_path(str(path), run_name='__main__')
    script = capsys.readouterr().out
    assert script.startswith('usage: get_flops.py ')
    run_mmsnn('flops', '--help')
    command = capsys.readouterr().out
    assert script.partition('options:')[2] == command.partition('options:')[2]


@pytest.mark.parametrize(
    ('start', 'expected'),
    [
        ('/env/bin/mmsnn', 'mmsnn energy x.py'),
        ('/env/mmsnn/__main__.py', 'mmsnn energy x.py'),
        ('tools/analysis_tools/energy.py', 'python tools/analysis_tools/energy.py'),
    ],
)
def test_the_command_in_reports(
    monkeypatch: pytest.MonkeyPatch, start: str, expected: str
) -> None:
    words = ['energy', 'x.py'] if 'tools' not in start else []
    monkeypatch.setattr(sys, 'argv', [start, *words])
    assert command_line() == expected


def test_versions_without_an_optional_package(monkeypatch: pytest.MonkeyPatch) -> None:
    assert 'mmpretrain' in versions()
    monkeypatch.setitem(sys.modules, 'mmpretrain', None)
    assert 'mmpretrain' not in versions()
