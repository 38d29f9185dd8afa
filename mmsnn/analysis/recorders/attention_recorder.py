"""Attention weights of time steps, channels and positions for one image."""

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
"""Quantiles of the gate, see :class:`GateAttention`."""

# The attention modules of a decoder, and the batch dimension of their weights.
_PARTS = {'temporal': 1, 'channel': 0, 'spatial': 0}


@dataclass(frozen=True, eq=False)
class DecoderAttention:
    """The weights of an attention spike decoder for one image, all in (0, 1).

    Attributes:
        name: Name of the decoder in the model.
        temporal: Weights of the time steps, ``[T]``.
        channel: Weights of the channels, ``[C]``.
        spatial: Weights of the positions, ``[H, W]``.
    """

    name: str
    temporal: np.ndarray
    channel: np.ndarray
    spatial: np.ndarray


@dataclass(frozen=True, eq=False)
class GateAttention:
    """The weights of a gated attention stem per time step for one image.

    Attributes:
        name: Name of the stem in the model.
        temporal: Scores of the temporal attention, positive or negative, ``[T]``.
        gate_mean: Mean of the gate over channels and positions, ``[T]``. Spikes are
            multiplied by the gate, which is in (0, 1).
        gate_quantiles: Quantiles ``QUANTILES`` of the gate over channels and positions,
            ``[T, 5]``.
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
        decoders: One entry per attention spike decoder, that is per feature level.
        gates: One entry per stem with temporal attention.
    """

    image: InputImage
    decoders: tuple[DecoderAttention, ...]
    gates: tuple[GateAttention, ...]


def has_attention(model: nn.Module) -> bool:
    """Return whether :class:`AttentionCapture` can record attention of a model."""
    return any(_is_attentive(module) for module in model.modules())


def _is_attentive(module: nn.Module) -> bool:
    return _is_attention_decoder(module) or _temporal_part(module) is not None


def _is_attention_decoder(module: nn.Module) -> bool:
    return isinstance(module, BaseDecoder) and {*_PARTS} <= {*module.attention_parts}


def _temporal_part(stem: nn.Module) -> nn.Module | None:
    """Return the temporal attention of a stem; None if it has none."""
    if not isinstance(stem, BaseStem) or 'temporal' not in stem.attention_parts:
        return None
    part: Any = stem.temporal
    return part if isinstance(part, nn.Module) else None


class AttentionCapture(OneImage):
    """Records the weights of attention spike decoders and gated stems for one image.

    Args:
        model: A detector, a classifier or a part of one.
        image: Index of the image in the batch.

    Raises:
        ValueError: If the model has no such attention or ``image`` is not an index, or,
            when the model is called, if the batch has no such image.
    """

    def __init__(self, model: nn.Module, image: int = 0) -> None:
        super().__init__(model, image)
        if not has_attention(self.model):
            raise ValueError(
                f'{type(model).__name__} has neither attention spike decoders (ASD) '
                'nor a gated attention stem with temporal=True'
            )
        named = list(self.model.named_modules())
        self.decoders = [(name, m) for name, m in named if _is_attention_decoder(m)]
        self.stems = [
            (name, m, temporal)
            for name, m in named
            if (temporal := _temporal_part(m)) is not None
        ]

    def watch(self) -> Iterator[RemovableHandle]:
        """Register the hooks of the layers; yield their handles."""
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
        """Keep scores ``[steps, C, H, W]``, where steps is 1 for a static image."""
        steps = output.detach().unflatten(0, (-1, self._batch_size))
        self._seen[key] = steps[:, self.image]

    def _keep_gate(
        self, name: str, stem: nn.Module, args: tuple[Tensor], output: Tensor
    ) -> None:
        temporal = self._seen.pop(f'{name}.temporal').flatten()
        scores = self._seen.pop(f'{name}.spatial_channel', torch.ones(1, 1))
        means, spread = [], []
        # one time step at a time, to avoid a tensor T times as large as the scores
        for t, score in enumerate(temporal):
            gate = (float(score) * scores[t if len(scores) > 1 else 0]).sigmoid()
            values = gate.float().cpu().numpy()
            means.append(values.mean())
            spread.append(np.quantile(values, QUANTILES))
        self._seen[name] = GateAttention(
            name, temporal, np.array(means), np.array(spread)
        )

    def result(self) -> ImageAttention:
        """Return the attention weights of the last call.

        Raises:
            RuntimeError: If the model or one of the layers has not been called.
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
