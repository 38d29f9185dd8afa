"""A detector that is applied to pictures, videos, cameras and recordings of events."""

import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from mmdet.models.detectors import BaseDetector
from mmengine.config import Config
from mmengine.dataset import pseudo_collate
from mmengine.structures import InstanceData
from torch import nn

from mmsnn.analysis.model_parts import named_neurons
from mmsnn.analysis.recorders.spike_recorder import ImageSpikes, SpikeCapture
from mmsnn.streaming import check_detector_streams, stream_detections
from mmsnn.utils import check_bool, check_positive_int
from mmsnn.utils.class_checks import class_names, datasets_of
from mmsnn.utils.dry_run import CANNOT_PROCESS, explain_part, predict
from mmsnn.utils.errors import UserError

from .picture_sources import Source
from .source_readers import Picture, make_reader


@dataclass(frozen=True, eq=False)
class Detection:
    """What is detected in one picture, or in one window of events.

    Attributes:
        source: Where it is from.
        frame: Number of the frame in a video, camera stream or recording, from 0; None
            for images and recordings of a single window.
        pixels: The picture before the test pipeline resizes it, BGR ``uint8
            [H, W, 3]``; of a window, the numbers of OFF and ON events, ``[H, W, 2]``.
        instances: ``bboxes`` (left, top, right, bottom in its pixels), ``scores`` and
            ``labels``, on the CPU.
        spikes: Spikes of some layers, if they are recorded.
        window: Begin (inclusive) and end (exclusive) of a window in microseconds; None
            for pictures.
    """

    source: Source
    frame: int | None
    pixels: np.ndarray
    instances: InstanceData
    spikes: ImageSpikes | None
    window: tuple[int, int] | None

    @property
    def name(self) -> str:
        """Path for the output, that of a picture for a recording of one window."""
        single = self.frame is None and self.source.kind == 'events'
        path = Path(self.source.name)
        return str(path.with_suffix('.png') if single else path)


class Detector:
    """Detects objects with a config's model and test pipeline.

    Decoding, resizing and normalisation are the test pipeline's. Frames of videos and
    cameras replace the image that its first transform would load; recordings of events
    are cut into the windows that it would load. Pictures of a batch are padded to the
    same size, as in a test with that batch size.

    Args:
        cfg: A full config of a detector of images or of windows of events.
        model: Its model in evaluation mode.
        batch_size: Pictures per call of the model.
        layers: Layers of neurons whose spikes are recorded.
        stream: Whether each source is a stream: the model computes one time step for
            each frame and carries its state to the next, see
            :func:`mmsnn.streaming.stream_detections`. Recordings are read in frames of
            1/T of the window.

    Attributes:
        reader: Reads the sources.
        failures: Source and reason of what could not be read so far.
        model_seconds: Time in the model so far.

    Raises:
        TypeError: If ``batch_size`` is not an integer, or ``stream`` not a boolean.
        ValueError: If ``batch_size`` is less than 1, or is not 1 or ``layers`` are
            given for a stream.
        UserError: If the model is not a detector, its test pipeline loads neither
            images nor windows of events, or it cannot stream.
    """

    def __init__(
        self,
        cfg: Config,
        model: nn.Module,
        batch_size: int = 1,
        layers: Sequence[str] = (),
        stream: bool = False,
    ) -> None:
        self.batch_size = check_positive_int('batch_size', batch_size)
        self.stream = check_bool('stream', stream)
        if stream and (batch_size > 1 or layers):
            raise ValueError(
                'a stream has a batch_size of 1 and no recorded layers, but got '
                f'{batch_size} and {list(layers)}'
            )
        if not isinstance(model, BaseDetector):
            raise UserError(
                f'config {cfg.filename!r} is not that of a detector: its model is a '
                f'{type(model).__name__}'
            )
        self.model = model
        self.layers = layers
        self.reader = make_reader(cfg, single_frames=stream)
        if stream:
            self._check_streams(cfg)
        self.failures: list[tuple[Source, str]] = []
        self.model_seconds = 0.0

    def __call__(self, sources: Sequence[Source]) -> Iterator[Detection]:
        """Yield what is detected in each picture, in order.

        Pictures are read when they are needed; one batch is in memory at a time. A
        source that cannot be read is added to :attr:`failures` and left out.
        """
        if self.stream:
            for source in sources:
                yield from self._stream(source)
            return
        batch: list[Picture] = []
        for source in sources:
            for picture in self._read(source):
                batch.append(picture)
                if len(batch) == self.batch_size:
                    yield from self._detect(batch)
                    batch = []
            if source.kind != 'image' and batch:
                # the next source has another size and another rate
                yield from self._detect(batch)
                batch = []
        if batch:
            yield from self._detect(batch)

    def _check_streams(self, cfg: Config) -> None:
        chunk = pseudo_collate([self.reader.blank()])
        with explain_part(f'config {cfg.filename!r}', self.model):
            try:
                check_detector_streams(self.model, chunk)
            except ValueError as error:
                raise UserError(str(error)) from error

    def _read(self, source: Source) -> Iterator[Picture]:
        """Yield the pictures of a source, as far as it can be read."""
        try:
            yield from self.reader.read(source)
        except UserError as error:
            self.failures.append((source, str(error)))

    def _detect(self, batch: Sequence[Picture]) -> Iterator[Detection]:
        inputs = pseudo_collate([picture.sample for picture in batch])
        captures = [
            SpikeCapture(self.model, self.layers, image, traces=())
            for image in range(len(batch))
            if self.layers
        ]
        start = time.perf_counter()
        with ExitStack() as stack:
            for capture in captures:
                stack.enter_context(capture)
            outputs = predict(self.model, inputs)
        self.model_seconds += time.perf_counter() - start
        for image, picture in enumerate(batch):
            spikes = captures[image].result() if captures else None
            yield _detection(picture, outputs[image], spikes)

    def _stream(self, source: Source) -> Iterator[Detection]:
        """Yield what is detected after each frame, with the state carried on."""
        current: list[Picture] = []
        start = 0.0

        def chunks() -> Iterator[dict[str, Any]]:
            nonlocal start
            for picture in self._read(source):
                current[:] = [picture]
                chunk = pseudo_collate([picture.sample])
                start = time.perf_counter()
                yield chunk

        results = stream_detections(self.model, chunks())
        while True:
            with explain_part(CANNOT_PROCESS, self.model):
                outputs = next(results, None)
            if outputs is None:
                return
            self.model_seconds += time.perf_counter() - start
            yield _detection(current[0], outputs[0], None)


def _detection(picture: Picture, output: Any, spikes: ImageSpikes | None) -> Detection:
    if 'pred_instances' not in output:
        raise UserError('the model predicts no boxes')
    return Detection(
        picture.source,
        picture.frame,
        picture.pixels,
        output.pred_instances.cpu(),
        spikes,
        picture.window,
    )


def outer_layers(model: nn.Module) -> list[str]:
    """Return the names of a model's first and last layer of neurons.

    Raises:
        UserError: If it has none.
    """
    try:
        names = [name for name, _ in named_neurons(model)]
    except ValueError as error:
        raise UserError(str(error)) from error
    return list(dict.fromkeys((names[0], names[-1])))


def find_metainfo(cfg: Config, trained: Sequence[str] = ()) -> dict[str, Any]:
    """Return the classes of a detector's labels, and their colours if it states any.

    Args:
        cfg: A full config.
        trained: The classes that the checkpoint states; none if they are unknown.

    Raises:
        UserError: If neither the checkpoint nor the config's test set states them.
    """
    palette: Any = None
    classes = tuple(trained)
    for where, dataset, class_ in datasets_of(cfg, 'test'):
        stated = {**getattr(class_, 'METAINFO', {}), **(dataset.get('metainfo') or {})}
        palette = palette or stated.get('palette')
        classes = classes or class_names(where, dataset, class_) or ()
    if not classes:
        raise UserError(
            f'config {cfg.filename!r} does not state its classes, and nor does the '
            'checkpoint: set test_dataloader.dataset.metainfo.classes'
        )
    return dict(classes=classes, palette=palette)


__all__ = ['Detection', 'Detector', 'find_metainfo', 'outer_layers']
