"""Detections of a stream, chunk by chunk, in bounded memory."""

from collections.abc import Iterable, Iterator
from typing import Any

import torch

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
        chunks: Batches as data loaders return them, ``inputs`` and ``data_samples``;
            the same number of streams, of the same image size, in each. A batch may
            have ``restart``, booleans ``[N]``, True for each item whose stream begins
            with this chunk.
        num_steps: Number of time steps per chunk: at each of them the input is the
            chunk's image, or one of its ``num_steps`` frames.

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
        data = detector.data_preprocessor(batch, False)
        detections, state = step(
            detector, **data, mode='predict', num_steps=num_steps, state=state
        )
        yield detections


__all__ = ['stream_detections']
