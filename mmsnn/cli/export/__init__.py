"""Export a trained network for use without mmsnn.

Examples:
    mmsnn export onnx CONFIG CHECKPOINT --out detector.onnx
    mmsnn export onnx-step CONFIG CHECKPOINT --out step.onnx
    mmsnn export torch CONFIG CHECKPOINT --out detector.pt2
    mmsnn export nir CONFIG CHECKPOINT --out backbone.nir
"""

import argparse

from mmsnn.cli.common.parser import add_command


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add a command for each format."""
    commands = parser.add_subparsers(title='formats', metavar='FORMAT', required=True)
    add_command(commands, 'onnx', f'{__name__}.onnx')
    add_command(commands, 'onnx-step', f'{__name__}.onnx_step')
    add_command(commands, 'torch', f'{__name__}.torch')
    add_command(commands, 'nir', f'{__name__}.nir')
