"""Detections of a stream, chunk by chunk, in bounded memory."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import torch
from torch import Tensor

from mmsnn.models.neurons import BaseNeuron
from mmsnn.models.neurons.carried_state import CarriedState, carrying

from .state import State, restart, step


@torch.no_grad()
def stream_detections(
    detector: Any,
    chunks: Iterable[dict[str, Any]],
    num_steps: int = 1,
) -> Iterator[list[Any]]:
    """Yield the detections after each chunk of a stream.

    Only the state and one chunk are in memory, however long the stream is.

    Args:
        detector: A detector of MMDetection in evaluation mode.
        chunks: Batches as data loaders return them, ``inputs`` and ``data_samples``,
            with the same number of streams and the same image size in each. A batch may
            have ``restart``, booleans ``[N]``, True for each item whose stream begins
            with this chunk.
        num_steps: Number of time steps per chunk. At each of them, the input is the
            chunk's image or one of its ``num_steps`` frames.

    Yields:
        One ``DetDataSample`` per item, with ``pred_instances``.

    Raises:
        ValueError: If the detector cannot stream, see :func:`mmsnn.streaming.step`.
    """
    state: State | None = None
    for chunk in chunks:
        items = chunk.get('restart')
        batch = {key: value for key, value in chunk.items() if key != 'restart'}
        if state is not None and items is not None:
            state = restart(detector, state, items)
        detections, state = _detect(detector, batch, num_steps, state)
        yield detections


@torch.no_grad()
def check_detector_streams(
    detector: Any, chunk: Mapping[str, Any], num_steps: int = 1
) -> None:
    """Check that a detector's neurons carry a state from one chunk to the next.

    Args:
        detector: A detector of MMDetection in evaluation mode.
        chunk: A batch of the stream's kind, such as a blank image.
        num_steps: Number of time steps per chunk.

    Raises:
        ValueError: If a part cannot stream, or there are no spiking neurons.
    """
    _, state = _detect(detector, chunk, num_steps, None)
    modules = dict(detector.named_modules())
    owners = (modules[key.rpartition('#')[0]] for key in state)
    if not any(isinstance(owner, BaseNeuron) for owner in owners):
        raise ValueError(
            f'{type(detector).__name__} cannot stream: it has no spiking neurons to '
            'carry a state from one frame to the next'
        )


def _detect(
    detector: Any,
    batch: Mapping[str, Any],
    num_steps: int,
    state: Mapping[str, Tensor] | None,
) -> tuple[list[Any], State]:
    # preprocessors check the number of frames
    with carrying(CarriedState(detector, num_steps, {})):
        data = detector.data_preprocessor(batch, False)
    return step(detector, **data, mode='predict', num_steps=num_steps, state=state)


__all__ = ['check_detector_streams', 'stream_detections']
