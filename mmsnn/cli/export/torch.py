"""Export a detector or classifier with torch.export, as an archive or compiled.

The model takes images as the data preprocessor returns them and, for a detector, their
height and width without padding and the factors by which their width and height were
resized. torch.export.load(FILE).module() loads it; a detector needs the NMS operator
that `import mmsnn.deploy.export.suppression` defines. With --compile, the file is a
package of machine code, which torch._inductor.aoti_load_package(FILE) loads.

Examples:
    mmsnn export torch CONFIG CHECKPOINT --out detector.pt2
    mmsnn export torch CONFIG CHECKPOINT --out compiled.pt2 --compile
"""

import argparse
import io
from typing import Any

from mmsnn.cli.common.progress import progress, track

from . import common


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the options."""
    common.add_options(parser, '.pt2')
    parser.add_argument(
        '--compile',
        action='store_true',
        help="compile ahead of time for this machine's processor, which takes minutes",
    )


def main(args: argparse.Namespace) -> None:
    """Export, save, compare and print."""
    import torch

    from mmsnn.deploy.export.archive import (
        compare_archive,
        compile_program,
        export_archive,
    )
    from mmsnn.utils.atomic_files import write_atomically

    cfg, model, batches = common.load(args, '.pt2')
    progress('Exporting, which takes about a minute')
    program = export_archive(model, cfg).program
    archive: Any
    if args.compile:
        progress('Compiling, which takes some minutes')
        content = compile_program(program)
        write_atomically(args.out, content)
        archive = torch._inductor.aoti_load_package(str(args.out))
    else:
        file = io.BytesIO()
        torch.export.save(program, file)
        content = file.getvalue()
        write_atomically(args.out, content)
        archive = torch.export.load(file).module()
    worst = max(
        compare_archive(model, archive, batch) for batch in track(batches, 'Comparing')
    )
    print(
        f'Greatest difference from PyTorch on {batches.num_images} images: {worst:.1e}'
    )
    print(f'Saved {args.out} ({len(content) / 1e6:.1f} MB)')
