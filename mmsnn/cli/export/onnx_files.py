"""Code that the commands that write ONNX models share."""

import argparse
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from mmsnn.cli.common.exit_codes import note

if TYPE_CHECKING:
    from mmsnn.deploy.export.agreement import Agreement

PRECISIONS = ('fp32', 'fp16', 'int8')


def add_precision(parser: argparse.ArgumentParser) -> None:
    """Add the option for the weights."""
    parser.add_argument(
        '--precision',
        choices=PRECISIONS,
        default='fp32',
        help='precision of the stored weights; arithmetic is in fp32 (default: fp32)',
    )


def check_packages() -> None:
    """Check that the packages for ONNX are installed.

    Raises:
        UserError: If one is missing.
    """
    from mmsnn.utils.errors import UserError

    try:
        import onnx  # noqa: F401
        import onnxruntime  # noqa: F401
        import onnxscript  # noqa: F401
    except ImportError as error:
        raise UserError(
            f"{error.name} is not installed: pip install 'mmsnn[export]'"
        ) from error


def save(exported: Any, args: argparse.Namespace) -> tuple[Any, int]:
    """Write an ONNX model; return a session that runs it, and its size in bytes."""
    import onnxruntime

    from mmsnn.deploy.export.precision import compress
    from mmsnn.utils.atomic_files import write_atomically

    content = compress(exported, args.precision).SerializeToString()
    write_atomically(args.out, content)
    onnxruntime.set_default_logger_severity(3)
    session = onnxruntime.InferenceSession(content, providers=['CPUExecutionProvider'])
    return session, len(content)


def report(
    title: str,
    found: 'Sequence[Agreement]',
    args: argparse.Namespace,
    states: bool = False,
) -> None:
    """Print how the results agree, and a warning if they differ.

    Args:
        title: Title of the table.
        found: Agreement of the results for each image.
        args: Options of the command.
        states: Whether to show the states as well.
    """
    from mmsnn.reporting.tables import Column, Table

    columns = [
        Column('image'),
        Column('PyTorch'),
        Column('exported'),
        Column('matched'),
        Column('greatest difference of boxes', 'px', '.1e'),
        Column('of scores', format='.1e'),
    ]
    rows: list[tuple[Any, ...]] = [
        (
            one.image,
            one.expected,
            one.found,
            one.matched,
            one.box_error,
            one.score_error,
        )
        for one in found
    ]
    if states:
        columns.append(Column('differing states', '%', '.2f'))
        rows = [
            (*row, 100 * one.state_error) for row, one in zip(rows, found, strict=True)
        ]
    print(Table(title, tuple(columns), tuple(rows)).text())
    differ = sum(not one.equal for one in found)
    if differ:
        reason = (
            f'weights in {args.precision} change them'
            if args.precision != 'fp32'
            else 'rounding flips spikes whose potential is at the threshold'
        )
        note(f'{differ} of {len(found)} images have different detections: {reason}')
