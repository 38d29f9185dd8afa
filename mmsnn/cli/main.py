"""The command ``mmsnn``, and its individual commands for the scripts in ``tools``."""

import os
import sys
from argparse import Action, RawDescriptionHelpFormatter
from collections.abc import Generator
from importlib import import_module

from mmsnn.version import __version__

from .common.exit_codes import run
from .common.parser import Parser, add_command, execute, set_up

COMMANDS = (
    *('train', 'test', 'detect', 'demo', 'serve'),
    *('energy', 'firing-rate', 'gradient-flow', 'coding-dynamics', 'spikes', 'gradcam'),
    'anytime',
    *('flops', 'benchmark', 'confusion-matrix', 'coco-errors', 'logs'),
    *('datasets', 'browse', 'convert', 'export', 'configs', 'doctor'),
)
"""The commands in the order of the help text."""

_DESCRIPTION = 'Train, test and analyse spiking networks of MMDetection configs.'
_EPILOG = """\
examples:
  mmsnn configs retinanet
  mmsnn train CONFIG --work-dir work_dirs/run
  mmsnn energy CONFIG work_dirs/run/epoch_8.pth

`mmsnn COMMAND --help` describes a command. Completion in bash and zsh:
  eval "$(register-python-argcomplete mmsnn)"
"""


class _ListFormatter(RawDescriptionHelpFormatter):
    """Formatter that indents commands like options, so that each is one line."""

    def _iter_indented_subactions(
        self, action: Action
    ) -> Generator[Action, None, None]:
        if hasattr(action, '_get_subactions'):
            yield from action._get_subactions()


def main() -> None:
    """Run the command that the command line names."""
    parser = make_parser()
    if '_ARGCOMPLETE' in os.environ:
        import argcomplete

        argcomplete.autocomplete(parser)
    if len(sys.argv) == 1:
        parser.print_help()
        raise SystemExit(2)
    run(lambda: execute(parser))


def make_parser() -> Parser:
    """Return the parser of all commands."""
    parser = Parser(
        prog='mmsnn',
        description=_DESCRIPTION,
        epilog=_EPILOG,
        formatter_class=_ListFormatter,
    )
    parser.add_argument('--version', action='version', version=f'mmsnn {__version__}')
    commands = parser.add_subparsers(title='commands', metavar='COMMAND', required=True)
    for name in COMMANDS:
        add_command(commands, name, f'mmsnn.cli.{name.replace("-", "_")}')
    return parser


def run_tool(name: str) -> None:
    """Run one command, for a script in ``tools``.

    Args:
        name: Name of the command's module in ``mmsnn.cli``.
    """
    run(lambda: execute(set_up(Parser(), import_module(f'mmsnn.cli.{name}'))))
