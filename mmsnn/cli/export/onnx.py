"""Export a detector or classifier to ONNX, from the picture to the boxes.

The file takes pictures, uint8 [N, H, W, 3] in RGB, and returns boxes, scores and labels
of a detector, or probabilities of a classifier. Norms are folded and time steps
unrolled. The exported network is then compared with PyTorch's on images.

Examples:
    mmsnn export onnx CONFIG CHECKPOINT --out detector.onnx
    mmsnn export onnx CONFIG CHECKPOINT --out small.onnx --precision int8
"""

import argparse

from mmsnn.cli.common.exit_codes import note
from mmsnn.cli.common.progress import progress, track

from . import common

PRECISIONS = ('fp32', 'fp16', 'int8')


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the options."""
    common.add_options(parser, '.onnx')
    parser.add_argument(
        '--precision',
        choices=PRECISIONS,
        default='fp32',
        help='of the stored weights; arithmetic is in fp32 (default: fp32)',
    )


def main(args: argparse.Namespace) -> None:
    """Export, save, compare and print."""
    from mmsnn.utils.errors import UserError

    try:
        import onnx  # noqa: F401
        import onnxruntime
        import onnxscript  # noqa: F401
    except ImportError as error:
        raise UserError(
            f"{error.name} is not installed: pip install 'mmsnn[export]'"
        ) from error

    from mmsnn.deploy.export.agreement import compare
    from mmsnn.deploy.export.onnx_export import export_onnx
    from mmsnn.deploy.export.precision import compress
    from mmsnn.reporting.tables import Column, Table
    from mmsnn.utils.atomic_files import write_atomically

    cfg, model, batches = common.load(args, '.onnx')
    progress('Exporting, which takes one or two minutes')
    content = compress(export_onnx(model, cfg), args.precision).SerializeToString()
    write_atomically(args.out, content)
    onnxruntime.set_default_logger_severity(3)
    session = onnxruntime.InferenceSession(content, providers=['CPUExecutionProvider'])
    found = list(compare(model, session, track(batches, 'Comparing')))
    columns = (
        Column('image'),
        Column('PyTorch'),
        Column('exported'),
        Column('matched'),
        Column('greatest difference of boxes', 'px', '.1e'),
        Column('of scores', format='.1e'),
    )
    rows = tuple(
        (
            one.image,
            one.expected,
            one.found,
            one.matched,
            one.box_error,
            one.score_error,
        )
        for one in found
    )
    print(
        Table('Detections of PyTorch and of the exported network', columns, rows).text()
    )
    differ = sum(not one.equal for one in found)
    if differ:
        reason = (
            f'weights in {args.precision} change them'
            if args.precision != 'fp32'
            else 'rounding flips spikes whose potential is at the threshold'
        )
        note(f'{differ} of {len(found)} images have other detections: {reason}')
    print(f'\nSaved {args.out} ({len(content) / 1e6:.1f} MB)')
