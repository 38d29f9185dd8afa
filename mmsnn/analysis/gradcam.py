"""Grad-CAM: the places of an image that raise the score of a class or of a box.

pytorch-grad-cam, the usual library, stretches every map to [0, 1], so that those of
different time steps cannot be compared or averaged, and takes ``[T, N, C, H, W]`` for
volumes.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from typing import Any, cast

import numpy as np
import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode
from torch.utils.hooks import RemovableHandle

from mmsnn.utils.errors import UserError

from .predictions import Detections, read_prediction, score_order
from .recorders.one_image import InputImage, OneImage


@dataclass(frozen=True, eq=False)
class LayerCam:
    """Grad-CAM of a layer.

    Attributes:
        name: Name of the module in the model, followed by an index if it has several
            outputs.
        steps: Maps of the T time steps, ``[T, H, W]``, not negative. T is 1 if the
            layer's output has no time steps.
    """

    name: str
    steps: np.ndarray

    @property
    def mean(self) -> np.ndarray:
        """Mean over the time steps, ``[H, W]``."""
        return self.steps.mean(0)


@dataclass(frozen=True, eq=False)
class ImageCam:
    """Grad-CAM of a class or box for one image.

    Attributes:
        image: The image.
        category: Label of the class.
        score: Score of the class or box; the sum over the boxes if there are several.
        boxes: The boxes of a detector to which the maps belong; None for a classifier.
        layers: The maps of each layer.
    """

    image: InputImage
    category: int
    score: float
    boxes: Detections | None
    layers: tuple[LayerCam, ...]


@dataclass(frozen=True, eq=False)
class Target:
    """What is explained: a score with its graph, see :class:`ImageCam`."""

    value: Tensor
    category: int
    score: float
    boxes: Detections | None


def compute_cam(activations: Tensor, gradients: Tensor) -> Tensor:
    r"""Return the maps of a layer for each time step.

    :math:`M_t = \mathrm{ReLU}(\sum_c \alpha_{tc} A_{tc})`, where :math:`\alpha_{tc}` is
    the mean over places of the gradient of the score with respect to :math:`A_{tc}`
    (Selvaraju et al. 2017, Eqs. 1 and 2, at each time step).

    Args:
        activations: Output of the layer, ``[T, C, H, W]``.
        gradients: Gradient of the score with respect to it.

    Returns:
        Maps ``[T, H, W]``.
    """
    weights = gradients.mean((2, 3), keepdim=True)
    return (weights * activations).sum(1).relu()


class GradCAM(OneImage):
    """Records outputs of layers with their graph, for the Grad-CAM of one image.

    ::

        with GradCAM(model, 'backbone') as cam:
            score = model(images)[0, label]
            layers = cam.result(score)

    Args:
        model: A detector, a classifier or any other model, in eval mode.
        layers: Names of modules that return ``[T * N, C, H, W]``, time steps first,
            ``[T, N, C, H, W]``, ``[N, C, H, W]``, or a sequence of such features.
        image: Index of the image in the batch.

    Raises:
        ValueError: If there is no such module or image, or a module returns other
            shapes.
    """

    def __init__(
        self, model: nn.Module, layers: str | Sequence[str], image: int = 0
    ) -> None:
        super().__init__(model, image)
        self.layers = (layers,) if isinstance(layers, str) else tuple(layers)
        modules = dict(self.model.named_modules())
        missing = [name for name in self.layers if name not in modules]
        if missing or not self.layers:
            raise ValueError(
                f'layers must name modules of {type(model).__name__}, such as '
                f'{[name for name, _ in self.model.named_children()]}, but got '
                f'{missing or "none"}'
            )

    def watch(self) -> Iterator[RemovableHandle]:
        """Register the hooks of the layers; yield their handles."""
        modules = dict(self.model.named_modules())
        for name in self.layers:
            yield modules[name].register_forward_hook(partial(self._keep, name))

    def _keep(self, name: str, module: nn.Module, args: Any, output: Any) -> Any:
        """Keep the output; return a copy, so that it is not changed in place."""
        several = isinstance(output, list | tuple)
        kept = []
        for x in output if several else (output,):
            if not isinstance(x, Tensor) or x.dim() not in (4, 5):
                raise UserError(
                    f'layer {name!r} must return features [T * N, C, H, W] or '
                    f'[T, N, C, H, W], but returned {_describe(x)}'
                )
            kept.append(x if x.requires_grad else x.detach().requires_grad_())
        self._seen.setdefault(name, []).extend(kept)
        copies = [x.clone() for x in kept]
        return type(output)(copies) if several else copies[0]

    def result(self, score: Tensor) -> tuple[LayerCam, ...]:
        """Return the maps of all layers.

        Args:
            score: A number that the last call of the model computed.

        Raises:
            RuntimeError: If the model or one of the layers has not been called.
            ValueError: If the score does not depend on a layer.
        """
        _, outputs = self.seen(self.layers)
        named = [
            (f'{name}[{i}]' if len(kept) > 1 else name, x)
            for name, kept in zip(self.layers, outputs, strict=True)
            for i, x in enumerate(kept)
        ]
        if not score.requires_grad:
            raise UserError('the score has no gradient with respect to the layers')
        gradients = torch.autograd.grad(score, [x for _, x in named], allow_unused=True)
        if all(gradient is None for gradient in gradients):
            raise UserError(f'the score does not depend on {", ".join(self.layers)}')
        return tuple(
            LayerCam(name, self._maps(x, gradient))
            for (name, x), gradient in zip(named, gradients, strict=True)
        )

    def _maps(self, x: Tensor, gradient: Tensor | None) -> np.ndarray:
        # a box may come from one of several feature levels only
        gradient = torch.zeros_like(x) if gradient is None else gradient
        maps = compute_cam(*map(self._of_image, (x.detach(), gradient)))
        return maps.float().cpu().numpy()

    def _of_image(self, x: Tensor) -> Tensor:
        """Return the features of the image, ``[T, C, H, W]``."""
        steps = x if x.dim() == 5 else x.unflatten(0, (-1, self._batch_size))
        return steps[:, self.image]


def explain_prediction(
    model: nn.Module,
    batch: Mapping[str, Any],
    layers: str | Sequence[str] = 'backbone',
    category: int | None = None,
    box: int | None = None,
) -> ImageCam:
    """Return the Grad-CAM of what a detector or classifier predicts for an image.

    For a classifier, the score is the logit of a class. For a detector, it is the score
    of a box after the sigmoid or softmax, or the sum of the scores of the boxes of a
    class.

    Args:
        model: A model of MMDetection or MMPretrain in eval mode.
        batch: The input of its ``test_step``, with one image.
        layers: See :class:`GradCAM`; by default, the features of the backbone.
        category: Label of the class; by default, the one with the highest score.
        box: Index of a box of a detector in descending order of scores, from 0; not
            together with ``category``. By default, it is 0.

    Raises:
        UserError: If the model predicts no such class or box, or the layers do not fit.
    """
    if None not in (category, box):
        raise UserError(
            f'a class or a box is explained, but got class {category} and box {box}'
        )
    with GradCAM(model, layers) as cam, torch.enable_grad():
        target = find_target(cam.model, batch, category, box)
        maps = cam.result(target.value)
        image, _ = cam.seen(cam.layers)
    return ImageCam(image, target.category, target.score, target.boxes, maps)


def find_target(
    model: Any, batch: Mapping[str, Any], category: int | None, box: int | None
) -> Target:
    """Run a model on an image; return the score that is explained, with its graph.

    Args:
        model: A model of MMDetection or MMPretrain.
        batch: The input of its ``test_step``, with one image.
        category: See :func:`explain_prediction`.
        box: See :func:`explain_prediction`.

    Raises:
        UserError: If the model predicts no such class or box.
    """
    if not _detects(model):
        if box is not None:
            raise UserError('a classifier has no boxes, but a box was asked for')
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
        wanted = f'with index {box}' if category is None else f'of class {category}'
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


def _describe(value: Any) -> str:
    return str(list(value.shape)) if isinstance(value, Tensor) else type(value).__name__


__all__ = [
    'GradCAM',
    'ImageCam',
    'LayerCam',
    'compute_cam',
    'explain_prediction',
]
