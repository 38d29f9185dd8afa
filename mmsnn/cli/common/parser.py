"""Parsers of commands, built from the commands' modules.

A command is a module with a docstring, ``add_options(parser)`` and ``main(args)``, or
with subcommands and no ``main``. The first line of the docstring is its description in
the list of commands; the text after ``Examples:`` is printed at the end of its help.
``NEEDS_FRAMEWORKS = False`` marks a command that works in an environment without
PyTorch or OpenMMLab's packages.
"""

import argparse
import textwrap
from importlib import import_module
from types import ModuleType
from typing import Any, NoReturn

from mmsnn._compat import check_dependencies

from .quiet_imports import quiet_imports


class Parser(argparse.ArgumentParser):
    """Parser whose help text keeps its line breaks and whose errors are one line."""

    def __init__(self, **options: Any) -> None:
        options.setdefault('formatter_class', argparse.RawDescriptionHelpFormatter)
        super().__init__(**options)

    def error(self, message: str) -> NoReturn:
        """Print the message and exit with code 2."""
        self.exit(2, f'error: {message} (see {self.prog} --help)\n')


def set_up(parser: Parser, module: ModuleType) -> Parser:
    """Set up a parser with the description, options and function of a command."""
    parser.description, parser.epilog = _texts(module)
    module.add_options(parser)
    if hasattr(module, 'main'):
        needs_frameworks = getattr(module, 'NEEDS_FRAMEWORKS', True)
        parser.set_defaults(command=module.main, needs_frameworks=needs_frameworks)
    return parser


def add_command(
    commands: 'argparse._SubParsersAction[Any]', name: str, module_name: str
) -> None:
    """Add the command of a module to the commands of a parser."""
    module = import_module(module_name)
    summary = _texts(module)[0].partition('\n')[0].rstrip('.')
    set_up(commands.add_parser(name, help=summary), module)


def execute(parser: Parser, arguments: list[str] | None = None) -> None:
    """Run the command of a command line.

    Args:
        parser: Made by :func:`set_up`.
        arguments: The command line; by default, that of the process.

    Raises:
        ImportError: If the command needs frameworks that are missing or do not fit.
    """
    args = parser.parse_args(arguments)
    options = vars(args)
    command = options.pop('command')
    quiet_imports()
    if options.pop('needs_frameworks'):
        check_dependencies()
    command(args)


def _texts(module: ModuleType) -> tuple[str, str]:
    """Return a command's description and its examples, with a heading."""
    text, _, examples = (module.__doc__ or '').partition('\n\nExamples:\n')
    shown = textwrap.indent(textwrap.dedent(examples).rstrip(), '  ')
    return text.strip(), f'examples:\n{shown}' if shown else ''
