"""The score that is explained, with its graph: of a class or of boxes."""

from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any, cast

from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from mmsnn.analysis.predictions import Detections, read_prediction, score_order
from mmsnn.utils.errors import UserError


@dataclass(frozen=True, eq=False)
class Target:
    """What is explained: a score with its graph, see :class:`.explanation.ImageCam`."""

    value: Tensor
    category: int
    score: float
    boxes: Detections | None


def find_target(
    model: Any, batch: Mapping[str, Any], category: int | None, box: int | None
) -> Target:
    """Run a model on an image; return the score that is explained, with its graph.

    Args:
        model: A model of MMDetection or MMPretrain.
        batch: The input of its ``test_step``, with one image.
        category: See :func:`.explanation.explain_prediction`.
        box: See :func:`.explanation.explain_prediction`.

    Raises:
        UserError: If the model predicts no such class or box.
    """
    if not _detects(model):
        if box is not None:
            raise UserError('a classifier has no boxes, but a box was requested')
        data = model.data_preprocessor(batch, False)
        (logits,) = model(data['inputs'], data.get('data_samples'), mode='tensor')
        if category is not None and not 0 <= category < len(logits):
            raise UserError(
                f'the classes have labels 0 to {len(logits) - 1}, but got {category}'
            )
        label = int(logits.argmax()) if category is None else category
        score = float(logits.detach().softmax(0)[label])
        return Target(logits[label], label, score, None)
    with ExitStack() as stack:
        head = getattr(model, 'bbox_head', None)
        if head is not None:
            # the outputs of dense heads are detached before they become boxes
            hook = head.register_forward_hook(
                lambda *_: stack.enter_context(_KeptGraph()) and None
            )
            stack.callback(hook.remove)
        (sample,) = model.test_step(batch)
    return _choose_boxes(sample, category, box)


def _choose_boxes(sample: Any, category: int | None, box: int | None) -> Target:
    """Return the score of the chosen box, or the sum of those of a class.

    Raises:
        UserError: If there is no such box.
    """
    found = cast(Detections, read_prediction(sample))
    labels = found.labels.tolist()
    if box is None and category is not None:
        chosen = [i for i, label in enumerate(labels) if label == category]
    else:
        index = box or 0
        chosen = [index] if 0 <= index < len(labels) else []
    if not chosen:
        wanted = f'of class {category}'
        if category is None:
            wanted = f'with index {box or 0}'
        raise UserError(
            f'the image has no box {wanted}: the detector found {len(labels)} boxes, '
            f'of the classes {sorted({*labels})}'
        )
    scores = sample.pred_instances.scores
    order = score_order(scores)
    value = scores[[order[i] for i in chosen]].sum()
    return Target(value, labels[chosen[0]], float(value.detach()), found.select(chosen))


class _KeptGraph(TorchFunctionMode):
    """Context manager in which ``detach`` keeps the graph, in this thread only."""

    def __torch_function__(
        self, func: Any, types: Any, args: Any = (), kwargs: Any = None
    ) -> Any:
        if func is Tensor.detach:
            return args[0]
        return func(*args, **(kwargs or {}))


def _detects(model: nn.Module) -> bool:
    from mmdet.models.detectors import BaseDetector

    return isinstance(model, BaseDetector)


__all__ = ['Target', 'find_target']
