"""A detector that is applied to pictures from files, videos and cameras."""

import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from mmdet.models.detectors import BaseDetector
from mmengine.config import Config
from mmengine.dataset import Compose, pseudo_collate
from mmengine.registry import TRANSFORMS
from mmengine.structures import InstanceData
from torch import nn

from mmsnn.analysis.model_parts import named_neurons
from mmsnn.analysis.recorders.spike_recorder import ImageSpikes, SpikeCapture
from mmsnn.datasets.guarded_pipeline import GuardedPipeline
from mmsnn.utils import check_positive_int
from mmsnn.utils.class_checks import class_names, datasets_of
from mmsnn.utils.config_types import class_name
from mmsnn.utils.dry_run import predict
from mmsnn.utils.errors import UserError
from mmsnn.utils.preflight import innermost_dataset

from .picture_sources import Source, Stream


@dataclass(frozen=True, eq=False)
class Detection:
    """What is detected in one picture.

    Attributes:
        source: Where it is from.
        frame: Number of the frame in a video or camera stream, from 0; None for images.
        pixels: The picture before the test pipeline resizes it, BGR ``uint8
            [H, W, 3]``.
        instances: ``bboxes`` (left, top, right, bottom in its pixels), ``scores`` and
            ``labels``, on the CPU.
        spikes: Spikes of some layers, if they are recorded.
    """

    source: Source
    frame: int | None
    pixels: np.ndarray
    instances: InstanceData
    spikes: ImageSpikes | None


class Detector:
    """Detects objects with a config's model and test pipeline.

    Decoding, resizing and normalisation are the test pipeline's. Frames of videos and
    cameras replace the image that its first transform would load. Pictures of a batch
    are padded to the same size, as in a test with that batch size.

    Args:
        cfg: A full config of a detector of images.
        model: Its model in evaluation mode.
        batch_size: Pictures per call of the model.
        layers: Layers of neurons whose spikes are recorded.

    Attributes:
        failures: Source and reason of what could not be read so far.
        fps: Rate of the current video or camera, in frames per second.
        model_seconds: Time in the model so far.

    Raises:
        TypeError: If ``batch_size`` is not an integer.
        ValueError: If ``batch_size`` is less than 1.
        UserError: If the model is not a detector, or its test pipeline does not load
            images.
    """

    def __init__(
        self,
        cfg: Config,
        model: nn.Module,
        batch_size: int = 1,
        layers: Sequence[str] = (),
    ) -> None:
        self.batch_size = check_positive_int('batch_size', batch_size)
        if not isinstance(model, BaseDetector):
            raise UserError(
                f'config {cfg.filename!r} is not that of a detector: its model is a '
                f'{type(model).__name__}'
            )
        self.model = model
        self.layers = layers
        steps = innermost_dataset(cfg.test_dataloader.dataset).get('pipeline') or []
        steps = [step for step in steps if 'Annotations' not in class_name(step)]
        if not steps or class_name(steps[0]) != 'LoadImageFromFile':
            raise UserError(
                f'the test pipeline of config {cfg.filename!r} must begin with '
                'LoadImageFromFile, to be applied to pictures'
            )
        # errors of OpenCV are reported by GuardedPipeline
        cv2.setLogLevel(0)
        from_array = {**steps[0], 'type': 'mmdet.LoadImageFromNDArray'}
        self._load_file = _build(steps[:1])
        self._load_array = _build([from_array])
        self._prepare = _build(steps[1:])
        self.failures: list[tuple[Source, str]] = []
        self.fps = 0.0
        self.model_seconds = 0.0

    def __call__(self, sources: Sequence[Source]) -> Iterator[Detection]:
        """Yield what is detected in each picture, in order.

        Pictures are read when they are needed; one batch is in memory at a time. A
        source that cannot be read is added to :attr:`failures` and left out.
        """
        batch: list[tuple[Source, int | None, np.ndarray, dict[str, Any]]] = []
        for source in sources:
            for frame, loaded in self._read(source):
                pixels = _to_bgr(loaded['img'])
                try:
                    sample = _apply(self._prepare, loaded)
                except UserError as error:
                    self.failures.append((source, str(error)))
                    break
                batch.append((source, frame, pixels, sample))
                if len(batch) == self.batch_size:
                    yield from self._detect(batch)
                    batch = []
            if source.kind != 'image' and batch:
                # the next source has another size and another rate
                yield from self._detect(batch)
                batch = []
        if batch:
            yield from self._detect(batch)

    def _read(self, source: Source) -> Iterator[tuple[int | None, dict[str, Any]]]:
        """Yield the pictures of a source as the pipeline loads them."""
        try:
            if source.kind == 'image':
                path = str(source.place)
                yield None, _apply(self._load_file, dict(img_path=path, img_id=0))
                return
            stream = Stream(source)
            self.fps = stream.fps
            for frame, pixels in enumerate(stream):
                loaded = _apply(self._load_array, dict(img=pixels, img_id=0))
                yield frame, dict(loaded, img_path='')
        except UserError as error:
            self.failures.append((source, str(error)))

    def _detect(
        self, batch: Sequence[tuple[Source, int | None, np.ndarray, Mapping[str, Any]]]
    ) -> Iterator[Detection]:
        inputs = pseudo_collate([sample for *_, sample in batch])
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
        for image, (source, frame, pixels, _) in enumerate(batch):
            if 'pred_instances' not in outputs[image]:
                raise UserError('the model predicts no boxes')
            yield Detection(
                source,
                frame,
                pixels,
                outputs[image].pred_instances.cpu(),
                captures[image].result() if captures else None,
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


def _build(steps: Sequence[Mapping[str, Any]]) -> GuardedPipeline:
    return GuardedPipeline(Compose([TRANSFORMS.build(step) for step in steps]))


def _apply(pipeline: GuardedPipeline, results: dict[str, Any]) -> dict[str, Any]:
    """Return what a pipeline makes of a picture.

    Raises:
        UserError: If it fails or leaves the picture out.
    """
    done = pipeline(results)
    if done is None:
        raise UserError('it is left out by the test pipeline')
    return done


def _to_bgr(image: np.ndarray) -> np.ndarray:
    """Return a copy of a loaded image for drawing, ``uint8 [H, W, 3]``."""
    pixels = image.reshape(*image.shape[:2], -1)
    copied = np.array(pixels.clip(0, 255), dtype=np.uint8)
    return copied[..., :3] if copied.shape[2] >= 3 else copied[..., [0, 0, 0]]


__all__ = ['Detection', 'Detector', 'find_metainfo', 'outer_layers']
