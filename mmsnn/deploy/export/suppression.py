"""Non-maximum suppression of a batch as one operator, which exporters translate."""

import torch
from torch import Tensor
from torchvision.ops import nms


@torch.library.custom_op('mmsnn_export::unsuppressed', mutates_args=())
def unsuppressed(boxes: Tensor, scores: Tensor, iou_threshold: float) -> Tensor:
    """Return which boxes hard NMS keeps, in each image.

    Args:
        boxes: ``[N, K, 4]``, corners.
        scores: ``[N, K]``; boxes whose score is not positive are dropped.
        iou_threshold: A box is dropped if its IoU with a better one is above this.

    Returns:
        ``[N, K]``, bool.
    """
    kept = torch.zeros_like(scores, dtype=torch.bool)
    for mask, box, score in zip(kept, boxes, scores, strict=True):
        valid = torch.nonzero(score > 0)[:, 0]
        mask[valid[nms(box[valid], score[valid], iou_threshold)]] = True
    return kept


@unsuppressed.register_fake
def _(boxes: Tensor, scores: Tensor, iou_threshold: float) -> Tensor:
    return torch.empty_like(scores, dtype=torch.bool)


def suppress(
    boxes: Tensor,
    scores: Tensor,
    labels: Tensor,
    iou_threshold: float,
    class_agnostic: bool,
    number: int,
) -> tuple[Tensor, Tensor, Tensor]:
    """Return the best boxes after NMS, as MMCV's ``batched_nms`` selects them.

    Args:
        boxes: ``[N, K, 4]``, corners.
        scores: ``[N, K]``; boxes whose score is not positive are dropped.
        labels: ``[N, K]``.
        iou_threshold: See ``unsuppressed``.
        class_agnostic: Whether boxes of different classes suppress each other.
        number: Boxes per image. If fewer remain, the score is 0 and the label -1.

    Returns:
        Boxes ``[N, number, 4]``, scores and labels ``[N, number]``, best first.
    """
    places = boxes
    if not class_agnostic:
        # boxes of different classes are moved apart
        width = boxes.amax((1, 2), keepdim=True) + 1
        places = boxes + labels.unsqueeze(-1).to(boxes.dtype) * width
    kept = unsuppressed(places, scores, iou_threshold)
    kept_scores = torch.where(kept, scores, 0.0)
    scores, order = kept_scores.topk(torch.sym_min(number, scores.shape[1]))
    boxes = boxes.gather(1, order.unsqueeze(-1).expand(-1, -1, 4))
    labels = torch.where(scores > 0, labels.gather(1, order), -1)
    return boxes, scores, labels


__all__ = ['suppress', 'unsuppressed']
