"""Draw which parts of an image raise the score of a class or box (Grad-CAM).

For each image and each chosen layer of a spiking classifier or detector, draws the map
of each time step and their mean. Tables are printed, and saved with the pictures as
report.html, report.json and PNG files.

Examples:
    mmsnn gradcam CONFIG CHECKPOINT IMAGE.jpg
    mmsnn gradcam CONFIG CHECKPOINT IMAGE.jpg --class person
    mmsnn gradcam CONFIG CHECKPOINT IMAGE.jpg --box 2 --layer backbone.stages.2
"""

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .common.exit_codes import note
from .common.options import OutputFolder, add_config_options
from .common.progress import progress
from .common.reports import describe_run, finish

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mmsnn.analysis.gradcam import ImageCam
    from mmsnn.reporting.report import Picture, Table


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the options."""
    parser.set_defaults(report_name='gradcam')
    add_config_options(parser)
    parser.add_argument(
        'files',
        nargs='+',
        metavar='[CHECKPOINT] IMAGE',
        help='the checkpoint (default: the weights shipped for the config), then the '
        'images',
    )
    target = parser.add_mutually_exclusive_group()
    target.add_argument(
        '--class',
        dest='category',
        metavar='NAME',
        help='name or label of the class (default: the one with the highest score)',
    )
    target.add_argument(
        '--box',
        type=int,
        metavar='INDEX',
        help='index of a box, in descending order of scores (default: 0)',
    )
    parser.add_argument(
        '--layer',
        nargs='+',
        default=['backbone'],
        metavar='NAME',
        help='modules whose output is explained (default: backbone)',
    )
    parser.add_argument(
        '--out-dir',
        action=OutputFolder,
        help='folder of the report '
        '(default: work_dirs/NAME_OF_CONFIG/analysis/gradcam)',
    )


def main(args: argparse.Namespace) -> None:
    """Compute, print and save.

    Raises:
        UserError: If the options do not fit the model or the images.
    """
    import mmsnn  # noqa: F401
    from mmsnn.analysis.gradcam import explain_prediction
    from mmsnn.analysis.model_inputs import build_model, make_file_batches
    from mmsnn.reporting.image_overlay import picture_settings
    from mmsnn.reporting.report import Report
    from mmsnn.utils.class_checks import classes_of_test_set
    from mmsnn.utils.config_files import load_config

    checkpoint, images = split_files(args)
    cfg = load_config(args.config, args.cfg_options)
    batches = make_file_batches(cfg, images)
    classes = classes_of_test_set(cfg)
    category = find_label(args.category, classes)
    progress('Building the model')
    model = build_model(cfg, checkpoint, note)
    cams = []
    for image, batch in zip(images, batches, strict=True):
        progress(f'Explaining {image}')
        cams.append(explain_prediction(model, batch, args.layer, category, args.box))
    preprocessor = picture_settings(cfg)
    report = Report(
        title='Grad-CAM',
        facts=describe_run(args, model, batches.source, checkpoint),
        tables=[make_table(images, cams, classes)],
        pictures=make_pictures(images, cams, preprocessor),
        notes=NOTES,
        data=[
            dict(image=str(image), boxes=cam.boxes, label=cam.category, score=cam.score)
            | dict(layers=cam.layers)
            for image, cam in zip(images, cams, strict=True)
        ],
    )
    finish(report, args)


NOTES = (
    'A layer whose largest value is 0 does not raise the score, such as a feature '
    'level on which a box does not depend; it has no picture.',
    'Grad-CAM (Selvaraju et al. 2017) at each time step t: ReLU of the sum over '
    'channels of the features, each weighted by the mean gradient of the score over '
    'all places at t.',
    'The score is the logit of a class or, for a detector, the score of a box after '
    'the sigmoid or softmax, or the sum over the boxes of a class.',
)


def split_files(args: argparse.Namespace) -> tuple[str, list[Path]]:
    """Return the checkpoint and the images.

    Raises:
        UserError: If there is no image, or no checkpoint and none is shipped.
    """
    from mmsnn.analysis.model_inputs import SUFFIXES
    from mmsnn.utils.errors import UserError
    from mmsnn.utils.shipped_configs import needed_weights

    first, *others = args.files
    if Path(first).suffix.lower() in SUFFIXES:
        checkpoint = needed_weights(args.config, 'before the images')
        images = args.files
    else:
        checkpoint, images = first, others
    if not images:
        raise UserError(f'no image is given, only {first!r}')
    for image in images:
        if not Path(image).is_file():
            raise UserError(f'image {image!r} does not exist or is not a file')
    return checkpoint, [Path(image) for image in images]


def find_label(name: str | None, classes: 'Sequence[str] | None') -> int | None:
    """Return the label of a class.

    Raises:
        UserError: If it is neither the name nor the label of a class.
    """
    from mmsnn.utils.checkpoints import enumerate_some
    from mmsnn.utils.errors import UserError

    if name is None:
        return None
    if classes is not None and name in classes:
        return classes.index(name)
    if name.isdecimal() and (classes is None or int(name) < len(classes)):
        return int(name)
    known = enumerate_some(classes, 20) if classes else 'unknown, give a label'
    raise UserError(f'--class {name!r}: the classes are {known}')


def make_table(
    images: 'Sequence[Path]',
    cams: 'Sequence[ImageCam]',
    classes: 'Sequence[str] | None',
) -> 'Table':
    """Return the table of what is explained, a row per image and layer."""
    from mmsnn.reporting.report import Column, Table

    columns = (
        Column('image'),
        Column('class'),
        Column('score', format='.3f'),
        Column('boxes'),
        Column('layer'),
        Column('largest value', format='.3g'),
        Column('largest value at each time step'),
    )
    rows = tuple(
        (
            image.name,
            classes[cam.category] if classes else cam.category,
            cam.score,
            None if cam.boxes is None else len(cam.boxes.scores),
            layer.name,
            layer.mean.max(),
            ' '.join(f'{step.max():.3g}' for step in layer.steps),
        )
        for image, cam in zip(images, cams, strict=True)
        for layer in cam.layers
    )
    return Table('Grad-CAM of each image and layer', columns, rows)


def make_pictures(
    images: 'Sequence[Path]', cams: 'Sequence[ImageCam]', preprocessor: Any
) -> 'list[Picture]':
    """Return the pictures, one per image and layer on which the score depends."""
    from mmsnn.reporting.gradcam_pictures import draw_gradcam
    from mmsnn.reporting.report import Picture

    return [
        Picture(
            (f'image{number}_' if len(images) > 1 else '') + file_stem(layer.name),
            f'Grad-CAM of {layer.name} for {image.name}',
            draw_gradcam(layer, cam, preprocessor),
            'The mean over time, then each time step, on one colour scale over the '
            'image in grey; the boxes that are explained.',
        )
        for number, (image, cam) in enumerate(zip(images, cams, strict=True), 1)
        for layer in cam.layers
        if layer.steps.any()
    ]


def file_stem(layer: str) -> str:
    """Return a layer's name without brackets."""
    return layer.replace('[', '_').replace(']', '')
