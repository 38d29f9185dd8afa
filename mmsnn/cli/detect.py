"""Detect objects in images, folders, videos, cameras or event recordings.

INPUT is an image, a folder (including subfolders), a video or the number of a camera;
with the config of an event detector, it is an event recording (.dat, .npy, .h5) or a
folder of recordings. The config and the checkpoint follow the inputs, as in
MMDetection's demo scripts; by default, a shipped detector of handwritten digits is
used. OUT_DIR contains:
  pictures/     pictures and videos with boxes; for recordings, videos of the events
  spikes/       with --spikes, the same with firing rates instead of boxes
  results.json  all boxes, in COCO's result format
  images.json   the files, frames, times and categories of the ids in results.json

Each picture, frame or window of events is processed independently. With --stream, a
spiking detector keeps its state from one frame to the next and computes one time step
per frame.

A camera is read until Ctrl-C. Files that cannot be read are listed at the end, and the
exit code is 1; it is 2 for wrong options or an input that cannot be used.

Examples:
    mmsnn detect photo.jpg
    mmsnn detect photos clip.mp4 CONFIG CHECKPOINT --batch-size 4 --spikes
    mmsnn detect 0 CONFIG CHECKPOINT --show
    mmsnn detect drive_td.dat CONFIG CHECKPOINT --stream
"""

import argparse
import os
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .common.deploy_options import add_deploy_options, check_deploy_options, deploy
from .common.exit_codes import note
from .common.options import OutputFolder, add_cfg_options
from .common.progress import track_rate, working
from .common.shipped import DETECTOR

if TYPE_CHECKING:
    from mmengine.config import Config
    from torch import nn

    from mmsnn.inference import Detector, Source


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the options."""
    parser.usage = '%(prog)s INPUT [INPUT ...] [CONFIG [CHECKPOINT]] [options]'
    parser.add_argument(
        'words',
        nargs='+',
        metavar='INPUT',
        help='images, folders, videos, numbers of cameras or event recordings, then '
        f'the path of a config, or mmsnn::FOLDER/FILE (default: {DETECTOR}), and its '
        'checkpoint (default: the weights shipped for the config)',
    )
    add_cfg_options(parser)
    parser.add_argument(
        '--out-dir',
        action=OutputFolder,
        default='work_dirs/detect',
        help='folder of the results (default: %(default)s)',
    )
    parser.add_argument(
        '--score-thr',
        type=float,
        default=0.3,
        help='minimum score of the boxes that are drawn and counted (default: 0.3); '
        'results.json contains all boxes',
    )
    parser.add_argument(
        '--batch-size', type=int, default=1, help='pictures per batch (default: 1)'
    )
    parser.add_argument(
        '--stream',
        action='store_true',
        help='compute one time step per frame of a video, camera or recording, and '
        'carry the state from each frame to the next',
    )
    parser.add_argument(
        '--spikes',
        action='store_true',
        help='also draw the firing rates of the first and the last layer of neurons '
        'over the pictures',
    )
    parser.add_argument(
        '--show',
        action='store_true',
        help='also show the pictures: images for two seconds or until space is pressed',
    )
    add_deploy_options(parser)


def main(args: argparse.Namespace) -> None:
    """Detect, write the results and print where they are.

    Raises:
        UserError: If the inputs, the config, the checkpoint or the options are wrong.
        SystemExit: With code 1, if a file cannot be read.
    """
    check_options(args)
    words, config, checkpoint = split_words(args.words)

    import mmsnn  # noqa: F401
    from mmsnn.inference import find_sources
    from mmsnn.inference.detector import Detector, find_metainfo, outer_layers
    from mmsnn.inference.source_readers import reads_events
    from mmsnn.utils.checkpoints import read_with_classes
    from mmsnn.utils.config_files import load_config
    from mmsnn.utils.shipped_configs import needed_weights

    cfg = load_config(config, args.cfg_options)
    sources = find_sources(words, Path(args.out_dir), reads_events(cfg))
    check_stream(args, sources)
    checkpoint = checkpoint or needed_weights(config, 'after it')
    metainfo = find_metainfo(cfg, read_with_classes(checkpoint)[1])
    model = build(args, cfg, checkpoint)
    layers = outer_layers(model) if args.spikes else ()
    detector = Detector(cfg, model, args.batch_size, layers, args.stream)
    print(f'Config:     {config}\nCheckpoint: {checkpoint}')
    report(args, detector, run(args, detector, sources, metainfo))


def check_options(args: argparse.Namespace) -> None:
    """Check the options that do not depend on the model.

    Raises:
        UserError: If one is wrong.
    """
    from mmsnn.utils.errors import UserError

    check_deploy_options(args)
    if args.batch_size < 1:
        raise UserError(f'--batch-size must be at least 1, but got {args.batch_size}')
    if not 0 <= args.score_thr <= 1:
        raise UserError(f'--score-thr must be from 0 to 1, but got {args.score_thr}')
    if args.stream and (args.batch_size > 1 or args.spikes):
        raise UserError('--stream excludes --batch-size and --spikes')
    if args.show and not has_display():
        raise UserError('--show needs a display, but none can be opened')


def check_stream(args: argparse.Namespace, sources: 'list[Source]') -> None:
    """Check that ``--stream`` is used with sources that have frames.

    Raises:
        UserError: If it is used with an image.
    """
    from mmsnn.utils.errors import UserError

    for source in sources if args.stream else ():
        if source.kind == 'image':
            raise UserError(
                '--stream takes videos, cameras and recordings of events, but '
                f'{str(source)!r} is an image'
            )


def has_display() -> bool:
    """Return whether a window can be opened."""
    if not (os.environ.get('DISPLAY') or os.environ.get('WAYLAND_DISPLAY')):
        return False
    from matplotlib import pyplot

    # without a toolkit or a display that answers, Matplotlib falls back to Agg
    return pyplot.get_backend().lower() != 'agg'


def split_words(words: list[str]) -> tuple[list[str], str, str | None]:
    """Return the inputs, the config and the checkpoint, None if it is not given.

    Raises:
        UserError: If there is no input, or something after the checkpoint.
    """
    from mmsnn.utils.errors import UserError

    configs = (
        i for i, word in enumerate(words) if word.endswith('.py') or '::' in word
    )
    first = next(configs, len(words))
    inputs, rest = words[:first], words[first:]
    if not inputs:
        raise UserError(f'inputs come first, then the config, but got {words[0]!r}')
    if len(rest) > 2:
        raise UserError(
            f'config and checkpoint come last, but {rest[2]!r} follows {rest[1]!r}'
        )
    config, checkpoint = (*rest, None, None)[:2]
    return inputs, config or DETECTOR, checkpoint


@working('Building the model')
def build(args: argparse.Namespace, cfg: 'Config', checkpoint: str) -> 'nn.Module':
    """Return the model with its weights, prepared as the options say."""
    from mmsnn.analysis.model_inputs import build_model
    from mmsnn.deploy import to_channels_last

    model = build_model(cfg, checkpoint, note)
    to_channels_last(model)
    return deploy(args, model)


def run(
    args: argparse.Namespace,
    detector: 'Detector',
    sources: 'list[Source]',
    metainfo: dict[str, Any],
) -> tuple[int, int, float]:
    """Detect and write; return the number of pictures, of boxes, and of seconds."""
    from mmsnn.inference import CocoResults
    from mmsnn.reporting.detection_files import PictureWriter
    from mmsnn.reporting.detection_pictures import DetectionPainter, enlarge, to_rgb
    from mmsnn.reporting.firing_overlay import draw_firing_overlays

    folder = Path(args.out_dir)
    painter = DetectionPainter(metainfo, args.score_thr)
    boxes, start = 0, time.perf_counter()
    total = detector.reader.count(sources)
    with (
        CocoResults(folder, metainfo['classes']) as results,
        PictureWriter(folder / 'pictures') as pictures,
        PictureWriter(folder / 'spikes') as overlays,
    ):
        shown = track_rate(detector(sources), 'Detecting', total)
        try:
            for detection in shown:
                results.add(detection)
                boxes += int((detection.instances.scores > args.score_thr).sum())
                name = detection.name
                fps = None if detection.frame is None else detector.reader.fps
                pixels = to_rgb(detection.pixels)
                picture = painter.draw(pixels, detection.instances)
                pictures.write(name, picture, fps)
                if detection.spikes is not None:
                    drawn = draw_firing_overlays(detection.spikes, enlarge(pixels))
                    overlays.write(name, drawn, fps)
                if args.show:
                    painter.show(picture, name, 2 if fps is None else 0.001)
        except KeyboardInterrupt:
            if sources[-1].kind != 'camera':
                raise
    return results.num_images, boxes, time.perf_counter() - start


def report(
    args: argparse.Namespace, detector: 'Detector', done: tuple[int, int, float]
) -> None:
    """Print a summary and where the results are.

    Raises:
        SystemExit: With code 1, if something could not be read.
    """
    pictures, boxes, seconds = done
    rates = ''
    if pictures:
        rates = f', {pictures / seconds:.1f}/s'
        rates += f' (the model alone: {pictures / detector.model_seconds:.1f}/s)'
    print(
        f'Detected {boxes} objects with a score above {args.score_thr:g} in {pictures} '
        f'{detector.reader.unit}{rates}'
    )
    print(f'Results:    {args.out_dir}')
    for source, reason in detector.failures:
        print(f'not read: {source}: {reason}', file=sys.stderr)
    if detector.failures:
        raise SystemExit(1)
