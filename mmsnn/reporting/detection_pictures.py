"""Pictures of true and predicted boxes side by side."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import mmcv
import numpy as np
import torch
from mmdet.datasets import BaseDetDataset
from mmdet.structures import DetDataSample
from mmdet.visualization import DetLocalVisualizer
from mmengine.structures import InstanceData
from PIL import Image, ImageDraw, ImageFont

from mmsnn.datasets.palettes import with_colors
from mmsnn.utils import check_positive_int

from .image_overlay import draw_events

_GAP = 8
_HEADER = 24
# Pictures with a smaller side are enlarged, so that labels are legible.
_LEGIBLE = 384


class DetectionPainter:
    """Draws boxes, labels and scores with MMDetection's visualizer.

    Args:
        metainfo: Names and colours of the classes, as in a data set's metainfo.
        score_thr: Boxes with a lower score are left out.
    """

    def __init__(self, metainfo: Mapping[str, Any], score_thr: float = 0.3) -> None:
        self.score_thr = score_thr
        self._visualizer = DetLocalVisualizer()
        self._visualizer.dataset_meta = with_colors(metainfo)

    def draw(self, pixels: np.ndarray, instances: InstanceData) -> np.ndarray:
        """Return a picture with its boxes, enlarged by :func:`legible_scale`.

        Args:
            pixels: The picture, RGB ``uint8 [H, W, 3]``.
            instances: ``bboxes``, ``scores`` and ``labels``, on the CPU.

        Returns:
            RGB ``uint8``.
        """
        image = enlarge(pixels)
        scaled = _scaled(instances, legible_scale(pixels), image.shape[:2])
        # the visualizer draws in order: the highest score is drawn last, on top
        drawn = DetDataSample(pred_instances=scaled[scaled.scores.argsort()])
        self._visualizer.add_datasample(
            'detections', image, drawn, draw_gt=False, pred_score_thr=self.score_thr
        )
        return self._visualizer.get_image()

    def show(self, picture: np.ndarray, title: str, seconds: float) -> None:
        """Show a picture in a window for some seconds, or until space is pressed."""
        self._visualizer.show(picture, win_name=title, wait_time=seconds)


def to_rgb(pixels: np.ndarray) -> np.ndarray:
    """Return the input of a detector as an RGB picture.

    Args:
        pixels: BGR ``uint8 [H, W, 3]``, or numbers of OFF and ON events, ``[H, W, 2]``,
            which are drawn on white, ON events in red and OFF events in blue.
    """
    if pixels.shape[2] == 2:
        return draw_events(pixels.transpose(2, 0, 1))
    return pixels[..., ::-1]


def legible_scale(pixels: np.ndarray) -> int:
    """Return the factor by which a picture is enlarged, so that labels are legible."""
    return max(1, _LEGIBLE // max(pixels.shape[:2]))


def enlarge(pixels: np.ndarray) -> np.ndarray:
    """Return a picture, enlarged by :func:`legible_scale`."""
    scale = legible_scale(pixels)
    return pixels if scale == 1 else mmcv.imrescale(pixels, float(scale))


def _scaled(instances: InstanceData, scale: int, size: tuple[int, int]) -> InstanceData:
    """Return a copy of ``instances`` for an image enlarged by ``scale`` to ``size``.

    Boxes are clipped to the last row and column, so that their edges are visible.
    """
    boxes = torch.as_tensor(getattr(instances.bboxes, 'tensor', instances.bboxes))
    limit = boxes.new_tensor((size[1] - 1, size[0] - 1) * 2)
    boxes = torch.minimum(boxes * scale, limit).clamp(min=0)
    scaled = InstanceData(bboxes=boxes, labels=instances.labels)
    if 'scores' in instances:
        scaled.scores = instances.scores
    return scaled


def _caption(picture: np.ndarray) -> Image.Image:
    """Add the captions 'true' and 'detected' above the halves of an RGB picture."""
    height, width = picture.shape[:2]
    framed = Image.new('RGB', (width, height + _HEADER), 'white')
    framed.paste(Image.fromarray(picture), (0, _HEADER))
    pen = ImageDraw.Draw(framed)
    font = ImageFont.load_default(size=16)
    for text, left in (('true', 0), ('detected', width // 2)):
        pen.text((left + 4, 2), text, fill='black', font=font)
    return framed


def _contact_sheet(pictures: Sequence[Image.Image], columns: int) -> Image.Image:
    """Arrange pictures of equal size in rows."""
    width, height = pictures[0].size
    rows = -(-len(pictures) // columns)
    size = (columns * (width + _GAP) - _GAP, rows * (height + _GAP) - _GAP)
    sheet = Image.new('RGB', size, 'white')
    for i, picture in enumerate(pictures):
        row, column = divmod(i, columns)
        sheet.paste(picture, (column * (width + _GAP), row * (height + _GAP)))
    return sheet


def draw_detections(
    dataset: BaseDetDataset,
    predictions: Sequence[Mapping[str, Any]],
    out_dir: str | Path,
    num_pictures: int = 8,
    scale: int = 3,
    score_thr: float = 0.5,
) -> list[Path]:
    """Draw true (left) and predicted boxes (right) of evenly spaced images.

    Args:
        dataset: A data set in test mode whose pipeline loads the annotations.
        predictions: Predictions written by ``mmsnn test --out``, in any order.
        out_dir: Folder of the pictures, created if it does not exist: one PNG per
            image, named after its index in the data set and its file, and
            ``overview.png`` with all images.
        num_pictures: Number of images to draw.
        scale: Factor by which images are enlarged, so that labels are legible.
        score_thr: Predictions with a lower score are left out.

    Returns:
        The paths of the files, with the overview last.

    Raises:
        TypeError: If a number is not an integer.
        ValueError: If ``num_pictures`` exceeds the number of images, or an image has no
            prediction.
    """
    check_positive_int('num_pictures', num_pictures)
    check_positive_int('scale', scale)
    if num_pictures > len(dataset):
        raise ValueError(
            f'num_pictures must be at most {len(dataset)}, the size of the data set, '
            f'but got {num_pictures}'
        )
    by_image = {prediction['img_id']: prediction for prediction in predictions}
    visualizer = DetLocalVisualizer()
    visualizer.dataset_meta = with_colors(dataset.metainfo)
    out_dir = Path(out_dir)
    out_dir.mkdir(parents=True, exist_ok=True)
    files, pictures = [], []
    for index in np.linspace(0, len(dataset) - 1, num_pictures).round().astype(int):
        sample = dataset[int(index)]['data_samples']
        if sample.img_id not in by_image:
            raise ValueError(f'there is no prediction for image {sample.img_id}')
        image = mmcv.imread(sample.img_path, channel_order='rgb')
        image = mmcv.imrescale(image, float(scale))
        size = image.shape[:2]
        predicted = InstanceData(**by_image[sample.img_id]['pred_instances'])
        # the visualizer draws in order: the highest score is drawn last, on top
        predicted = predicted[predicted.scores.argsort()]
        drawn = DetDataSample(
            gt_instances=_scaled(sample.gt_instances, scale, size),
            pred_instances=_scaled(predicted, scale, size),
        )
        visualizer.add_datasample('detections', image, drawn, pred_score_thr=score_thr)
        pictures.append(_caption(visualizer.get_image()))
        files.append(out_dir / f'{index:06d}_{Path(sample.img_path).stem}.png')
        pictures[-1].save(files[-1])
    sheet = out_dir / 'overview.png'
    _contact_sheet(pictures, columns=2).save(sheet)
    return [*files, sheet]
