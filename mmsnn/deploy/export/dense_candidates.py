"""Candidates of dense heads, and settings of NMS, as functions of tensors."""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from mmsnn.utils.errors import UserError


def check_methods(kind: str, part: Any, methods: dict[str, type]) -> None:
    """Check that a part computes its results as MMDetection's class does.

    Args:
        kind: What the methods do, for the message.
        part: A head.
        methods: The class whose method the part must have, by the method's name.

    Raises:
        UserError: If it overrides one of them.
    """
    for name, owner in methods.items():
        if getattr(type(part), name, None) is not getattr(owner, name):
            raise UserError(
                f'{type(part).__name__} cannot be exported: it {kind} with its own '
                f'{name}'
            )


def level_candidates(
    head: Any, settings: Any, features: Sequence[Tensor]
) -> list[tuple[Tensor, Tensor, Tensor]]:
    """Return the best ``nms_pre`` candidates of each level, not clipped.

    Args:
        head: A dense head of MMDetection.
        settings: Its ``test_cfg``.
        features: Features of each level.

    Returns:
        Boxes ``[N, K, 4]``, scores and labels ``[N, K]`` of each level. The scores of
        those below ``score_thr`` are -1.
    """
    classes, distances, *factors = head(features)
    sizes = [level.shape[-2:] for level in classes]
    priors = head.prior_generator.grid_priors(
        sizes, dtype=classes[0].dtype, device=classes[0].device
    )
    levels = zip(
        classes,
        distances,
        priors,
        factors[0] if factors else [None] * len(sizes),
        strict=True,
    )
    return [_candidates(head, settings, *level) for level in levels]


def _candidates(
    head: Any,
    settings: Any,
    classes: Tensor,
    distances: Tensor,
    priors: Tensor,
    factor: Tensor | None,
) -> tuple[Tensor, Tensor, Tensor]:
    num_classes = head.cls_out_channels
    if head.use_sigmoid_cls:
        scores = _flatten(classes, num_classes).sigmoid()
    else:
        scores = _flatten(classes, num_classes).softmax(-1)[..., :-1]
        num_classes -= 1
    scores = scores.flatten(1)
    limit = settings.get('nms_pre', -1)
    number = scores.shape[1]
    if limit > 0:
        number = torch.sym_min(limit, number)
    scores, places = scores.topk(number)
    anchors, labels = places // num_classes, places % num_classes
    dimensions = head.bbox_coder.encode_size
    chosen = take(_flatten(distances, dimensions), anchors)
    boxes = head.bbox_coder.decode(
        priors[anchors].flatten(0, 1), chosen.flatten(0, 1)
    ).unflatten(0, (-1, number))
    confident = scores > settings.get('score_thr', 0)
    if factor is not None:
        scores = scores * take(_flatten(factor, 1), anchors).squeeze(-1).sigmoid()
    return boxes, torch.where(confident, scores, -1.0), labels


def nms_settings(settings: Any) -> tuple[float, bool, int]:
    """Return the IoU threshold, whether NMS ignores classes, and the number of boxes.

    Raises:
        UserError: If it is not hard NMS.
    """
    nms: Any = dict(settings.nms)
    kind = nms.get('type', 'nms')
    if kind != 'nms':
        raise UserError(f"test_cfg.nms.type must be 'nms' to export, but got {kind!r}")
    threshold = float(nms.get('iou_threshold', nms.get('iou_thr')))
    return threshold, nms.get('class_agnostic', False), settings.max_per_img


def clip(boxes: Tensor, size: Tensor) -> Tensor:
    """Return boxes ``[..., 4]`` clipped to a height and width ``[2]``."""
    limit = size.flip(0).repeat(2)
    return torch.minimum(boxes.clamp(min=0), limit)


def take(values: Tensor, places: Tensor) -> Tensor:
    """Return rows of ``[N, M, D]`` at the places ``[N, K]``, as ``[N, K, D]``."""
    index = places.unsqueeze(-1).expand(-1, -1, values.shape[-1])
    return values.gather(1, index)


def _flatten(x: Tensor, channels: int) -> Tensor:
    """Return ``[N, A * channels, H, W]`` as ``[N, H * W * A, channels]``."""
    return x.permute(0, 2, 3, 1).reshape(x.shape[0], -1, channels)


__all__ = ['check_methods', 'clip', 'level_candidates', 'nms_settings', 'take']
