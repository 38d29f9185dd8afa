"""Export a detector or classifier to ONNX, from the picture to the boxes.

The model takes pictures, uint8 [N, H, W, 3] in RGB, and returns boxes, scores and
labels or, for a classifier, probabilities. Norms are folded and time steps unrolled.
The exported network is then compared with PyTorch's on images.

Examples:
    mmsnn export onnx CONFIG CHECKPOINT --out detector.onnx
    mmsnn export onnx CONFIG CHECKPOINT --out small.onnx --precision int8
"""

import argparse

from mmsnn.cli.common.progress import progress, track

from . import common
from .onnx_files import add_precision, check_packages, report, save


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the options."""
    common.add_options(parser, '.onnx')
    add_precision(parser)


def main(args: argparse.Namespace) -> None:
    """Export, save, compare and print."""
    check_packages()
    from mmsnn.deploy.export.agreement import compare
    from mmsnn.deploy.export.onnx_export import export_onnx

    cfg, model, batches = common.load(args, '.onnx')
    progress('Exporting, which takes one or two minutes')
    session, size = save(export_onnx(model, cfg), args)
    found = list(compare(model, session, track(batches, 'Comparing')))
    report('Detections of PyTorch and of the exported network', found, args)
    print(f'\nSaved {args.out} ({size / 1e6:.1f} MB)')
