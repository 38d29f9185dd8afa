"""Maps of Grad-CAM of layers, at each time step.

pytorch-grad-cam, the usual library, stretches every map to [0, 1], so that those of
different time steps cannot be compared or averaged, and takes ``[T, N, C, H, W]`` to be
volumes.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.utils.hooks import RemovableHandle

from mmsnn.analysis.recorders.one_image import OneImage
from mmsnn.utils.errors import UserError


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
        names = (layers,) if isinstance(layers, str) else layers
        self.layers = tuple(dict.fromkeys(names))
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


def _describe(value: Any) -> str:
    return str(list(value.shape)) if isinstance(value, Tensor) else type(value).__name__


__all__ = ['GradCAM', 'LayerCam', 'compute_cam']
