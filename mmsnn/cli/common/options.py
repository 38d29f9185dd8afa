"""Options that several commands share."""

import argparse
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from mmsnn.analysis.model_inputs import InputSource


class CfgOptions(argparse.Action):
    """MMEngine's ``DictAction`` with an error message instead of a traceback."""

    def __call__(
        self,
        parser: argparse.ArgumentParser,
        namespace: argparse.Namespace,
        values: str | Sequence[Any] | None,
        option_string: str | None = None,
    ) -> None:
        """Add the settings to the previous ones."""
        from mmengine.config import DictAction

        from mmsnn.utils.errors import UserError

        parse = DictAction(self.option_strings, self.dest)
        for value in values or ():
            key, equals, _ = value.partition('=')
            try:
                if not equals or not all(key.split('.')):
                    raise ValueError('it must be KEY=VALUE')
                parse(parser, namespace, [value], option_string)
            except (AssertionError, ValueError) as error:
                raise UserError(f'--cfg-options {value!r}: {error}') from error


class OutputFolder(argparse.Action):
    """Stores the path of a folder, after a check that files can be written in it."""

    checker = 'check_folder'

    def __call__(
        self,
        parser: argparse.ArgumentParser,
        namespace: argparse.Namespace,
        values: Any,
        option_string: str | None = None,
    ) -> None:
        """Check the path and store it."""
        from mmsnn.utils import outputs

        name = option_string or self.metavar or self.dest
        getattr(outputs, self.checker)(values, name)
        setattr(namespace, self.dest, values)


class OutputFile(OutputFolder):
    """Stores the path of a file, after a check that it can be written."""

    checker = 'check_file'


def add_config(parser: argparse.ArgumentParser) -> None:
    """Add the argument for the config."""
    parser.add_argument('config', help='path of the config, or mmsnn::FOLDER/FILE')


def add_cfg_options(parser: argparse.ArgumentParser) -> None:
    """Add the option that overrides settings of the config."""
    parser.add_argument(
        '--cfg-options',
        nargs='+',
        action=CfgOptions,
        metavar='KEY=VALUE',
        help='override settings of the config, such as train_cfg.max_epochs=1; a list '
        'is written as key="[a,b]" or key=a,b, a nested one as key="[(a,b),(c,d)]", '
        'without spaces',
    )


def add_config_options(parser: argparse.ArgumentParser) -> None:
    """Add the argument for the config and the option that overrides its settings."""
    add_config(parser)
    add_cfg_options(parser)


def add_shape_option(parser: argparse.ArgumentParser, default: str) -> None:
    """Add the option for the size of noise; ``default`` is shown in the help."""
    parser.add_argument(
        '--shape',
        nargs='+',
        type=int,
        metavar='PIXELS',
        help='use random noise of this size: HEIGHT WIDTH, or one number for both '
        f'(default: {default})',
    )


def get_source(
    shape: list[int] | None, kind: Literal['dataset', 'random']
) -> 'InputSource':
    """Return the source of the images: noise if a shape is given, else ``kind``.

    Raises:
        UserError: If the shape is invalid.
    """
    from mmsnn.analysis.model_inputs import InputSource
    from mmsnn.utils.errors import UserError

    if shape is None:
        return InputSource(kind)
    if len(shape) > 2 or min(shape) < 1:
        raise UserError(
            '--shape takes one number or HEIGHT WIDTH, each at least 1, but got '
            + ' '.join(map(str, shape))
        )
    return InputSource('random', size=(shape[0], shape[-1]))
