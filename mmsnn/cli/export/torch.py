"""Export a detector or classifier as an archive of torch.export.

It takes images as the data preprocessor returns them and, for a detector, their height
and width without padding and the factors of width and height by which they were
resized. torch.export.load(FILE).module() runs it; a detector needs the operator of NMS,
which import mmsnn.deploy.export.suppression defines.

Examples:
    mmsnn export torch CONFIG CHECKPOINT --out detector.pt2
"""

import argparse
import io

from mmsnn.cli.common.progress import progress, track

from . import common


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the options."""
    common.add_options(parser, '.pt2')


def main(args: argparse.Namespace) -> None:
    """Export, save, compare and print."""
    import torch

    from mmsnn.deploy.export.archive import compare_archive, export_archive
    from mmsnn.utils.atomic_files import write_atomically

    cfg, model, batches = common.load(args, '.pt2')
    progress('Exporting, which takes about a minute')
    program = export_archive(model, cfg).program
    content = io.BytesIO()
    torch.export.save(program, content)
    write_atomically(args.out, content.getvalue())
    content.seek(0)
    archive = torch.export.load(content).module()
    worst = max(
        compare_archive(model, archive, batch) for batch in track(batches, 'Comparing')
    )
    print(
        f'Greatest difference from PyTorch on {batches.num_images} images: {worst:.1e}'
    )
    print(f'Saved {args.out} ({len(content.getvalue()) / 1e6:.1f} MB)')
