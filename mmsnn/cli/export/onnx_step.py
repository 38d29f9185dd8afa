"""Export one call of a stream to ONNX, to detect frame by frame without PyTorch.

The model takes one picture per stream, uint8 [N, H, W, 3] in RGB and of a fixed size,
and the states of all neurons and decoders. It returns the outputs of `mmsnn export
onnx` and the states for the next call; zeros start a stream. It is then compared with
PyTorch's network, with images as consecutive frames of one stream.

Examples:
    mmsnn export onnx-step CONFIG CHECKPOINT --out step.onnx
    mmsnn export onnx-step CONFIG CHECKPOINT --out step.onnx --images FRAMES
"""

import argparse

from mmsnn.cli.common.exit_codes import note
from mmsnn.cli.common.progress import progress, track

from . import common
from .onnx_files import add_precision, check_packages, report, save


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the options."""
    common.add_options(parser, '.onnx')
    parser.add_argument(
        '--num-steps',
        type=int,
        default=1,
        help='time steps per picture (default: 1)',
    )
    add_precision(parser)


def main(args: argparse.Namespace) -> None:
    """Export, save, compare and print."""
    check_packages()
    from mmsnn.deploy.export.agreement import compare_stream, picture_of
    from mmsnn.deploy.export.step_export import export_step

    cfg, model, batches = common.load(args, '.onnx')
    first, *others = batches
    shape = picture_of(first).shape
    frames = [first, *(one for one in others if picture_of(one).shape == shape)]
    size = f'{shape[1]} x {shape[0]} pixels'
    number = 1 + len(others)
    if len(frames) < number:
        note(
            f'the step is for pictures of {size}: {number - len(frames)} of {number} '
            'images have another size'
        )
    progress('Exporting, which takes one or two minutes')
    session, length = save(export_step(model, cfg, first, args.num_steps), args)
    stream = compare_stream(model, session, track(frames, 'Comparing'), args.num_steps)
    title = 'Detections of PyTorch and of the exported step, frame by frame'
    report(title, list(stream), args, states=True)
    states = len(session.get_inputs()) - 1
    print(
        f'\nSaved {args.out} ({length / 1e6:.1f} MB): {states} states, pictures of '
        f'{size}'
    )
