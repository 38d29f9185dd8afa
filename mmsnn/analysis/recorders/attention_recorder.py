"""How attention weighs time, channels and places for one image."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.utils.hooks import RemovableHandle

from mmsnn.models.decoders import BaseDecoder
from mmsnn.models.stems import BaseStem

from .one_image import InputImage, OneImage

QUANTILES = (0.05, 0.25, 0.5, 0.75, 0.95)
"""Of the gate, see :class:`GateAttention`."""

# The attentions of a decoder, and where the batch is in the shape of their weights.
_PARTS = {'temporal': 1, 'channel': 0, 'spatial': 0}


@dataclass(frozen=True, eq=False)
class DecoderAttention:
    """The weights of an attention spike decoder for one image, all in (0, 1).

    Attributes:
        name: The decoder's name in the model.
        temporal: Of the time steps, ``[T]``.
        channel: Of the channels, ``[C]``.
        spatial: Of the places, ``[H, W]``.
    """

    name: str
    temporal: np.ndarray
    channel: np.ndarray
    spatial: np.ndarray


@dataclass(frozen=True, eq=False)
class GateAttention:
    """How a gated attention stem weighs the time steps for one image.

    Attributes:
        name: The stem's name in the model.
        temporal: The temporal attention's scores, of either sign, ``[T]``.
        gate_mean: Mean of the gate (in (0, 1); what spikes are multiplied with) over
            channels and places, ``[T]``.
        gate_quantiles: Its quantiles over them, those of ``QUANTILES``, ``[T, 5]``.
    """

    name: str
    temporal: np.ndarray
    gate_mean: np.ndarray
    gate_quantiles: np.ndarray


@dataclass(frozen=True, eq=False)
class ImageAttention:
    """The attention weights of a model for one image.

    Attributes:
        image: The image.
        decoders: One entry an attention spike decoder, that is a feature level.
        gates: Of stems with temporal attention.
    """

    image: InputImage
    decoders: tuple[DecoderAttention, ...]
    gates: tuple[GateAttention, ...]


def has_attention(model: nn.Module) -> bool:
    """Return whether there is something for :class:`AttentionCapture` to see."""
    return any(_is_attentive(module) for module in model.modules())


def _is_attentive(module: nn.Module) -> bool:
    return _is_attention_decoder(module) or _temporal_part(module) is not None


def _is_attention_decoder(module: nn.Module) -> bool:
    return isinstance(module, BaseDecoder) and {*_PARTS} <= {*module.attention_parts}


def _temporal_part(stem: nn.Module) -> nn.Module | None:
    """Return what scores the time steps in a stem."""
    if not isinstance(stem, BaseStem) or 'temporal' not in stem.attention_parts:
        return None
    part: Any = stem.temporal
    return part if isinstance(part, nn.Module) else None


class AttentionCapture(OneImage):
    """Keeps the weights of attention spike decoders and gated stems for one image.

    Args:
        model: A detector, a classifier or a part of one.
        image: Which image of the batch, from 0.

    Raises:
        ValueError: If the model has no such attention, or ``image`` is no index; when
            the model is called, if there is no such image.
    """

    def __init__(self, model: nn.Module, image: int = 0) -> None:
        super().__init__(model, image)
        if not has_attention(self.model):
            raise ValueError(
                f'{type(model).__name__} has no attention to look at: neither '
                'attention spike decoders (ASD) nor a gated attention stem with '
                'temporal=True'
            )
        named = list(self.model.named_modules())
        self.decoders = [(name, m) for name, m in named if _is_attention_decoder(m)]
        self.stems = [
            (name, m, temporal)
            for name, m in named
            if (temporal := _temporal_part(m)) is not None
        ]

    def watch(self) -> Iterator[RemovableHandle]:
        """See :class:`OneImage`."""
        for name, decoder in self.decoders:
            for part, batch_dim in _PARTS.items():
                hook = self._keep(f'{name}.{part}', batch_dim)
                yield getattr(decoder, part).register_forward_hook(hook)
        for name, stem, temporal in self.stems:
            hook = self._keep(f'{name}.temporal', _PARTS['temporal'])
            yield temporal.register_forward_hook(hook)
            scores = getattr(stem, 'spatial_channel', None)
            if scores is not None:
                yield scores.register_forward_hook(
                    partial(self._keep_scores, f'{name}.spatial_channel')
                )
            yield stem.register_forward_hook(partial(self._keep_gate, name))

    def _keep(self, key: str, batch_dim: int) -> Callable[..., None]:
        def hook(module: nn.Module, args: tuple[Tensor], output: Tensor) -> None:
            weights = output.detach().select(batch_dim, self.image)
            self._seen[key] = weights.float().cpu().numpy()

        return hook

    def _keep_scores(
        self, key: str, module: nn.Module, args: tuple[Tensor], output: Tensor
    ) -> None:
        """Keep scores ``[steps, C, H, W]``; a static image has them for one step."""
        steps = output.detach().unflatten(0, (-1, self._batch_size))
        self._seen[key] = steps[:, self.image]

    def _keep_gate(
        self, name: str, stem: nn.Module, args: tuple[Tensor], output: Tensor
    ) -> None:
        temporal = self._seen.pop(f'{name}.temporal').flatten()
        scores = self._seen.pop(f'{name}.spatial_channel', torch.ones(1, 1))
        means, spread = [], []
        # one step at a time: all at once are T times as large as what the stem has
        for t, score in enumerate(temporal):
            gate = (float(score) * scores[t if len(scores) > 1 else 0]).sigmoid()
            values = gate.float().cpu().numpy()
            means.append(values.mean())
            spread.append(np.quantile(values, QUANTILES))
        self._seen[name] = GateAttention(
            name, temporal, np.array(means), np.array(spread)
        )

    def result(self) -> ImageAttention:
        """Return the weights of the last call.

        Raises:
            RuntimeError: If the model, or one of the layers, has not been called.
        """
        decoders = []
        for name, _ in self.decoders:
            _, parts = self.seen([f'{name}.{part}' for part in _PARTS])
            temporal, channel, (spatial,) = parts
            decoders.append(
                DecoderAttention(name, temporal.flatten(), channel.flatten(), spatial)
            )
        image, gates = self.seen([name for name, *_ in self.stems])
        return ImageAttention(image, tuple(decoders), tuple(gates))
