"""Measurements of a model on one picture or recording, kept for the page."""

import secrets
import threading
import time
from collections import OrderedDict
from collections.abc import Mapping
from contextlib import ExitStack
from copy import deepcopy
from dataclasses import dataclass, field
from typing import Any, cast

from mmsnn.analysis import (
    AttentionCapture,
    EnergyEstimate,
    Firing,
    FiringRates,
    ImageAttention,
    ImageCam,
    ImageSpikes,
    InputImage,
    OperationCounter,
    Operations,
    SpikeCapture,
    estimate_energy,
    explain_prediction,
    has_attention,
    without_spikes,
)
from mmsnn.analysis.anytime import StoppingRule, detect_after, stopping_step
from mmsnn.analysis.predictions import Detections, Prediction, read_prediction
from mmsnn.analysis.recorders.one_image import OneImage
from mmsnn.utils.dry_run import predict

from .served_models import ServedModel


class _Input(OneImage):
    """Records only the input."""

    def watch(self) -> Any:
        """Register no more hooks."""
        return ()


@dataclass(frozen=True, eq=False)
class EachStep:
    """Detections after each time step.

    Attributes:
        detections: The boxes after 1, 2, ..., T time steps.
        stop: Time step at which the detector would stop early.
        rule: Rule of early stopping.
    """

    detections: tuple[Detections, ...]
    stop: int
    rule: StoppingRule


@dataclass(frozen=True, eq=False)
class Result:
    """A model's prediction and measurements for one picture or recording.

    Attributes:
        served: The model.
        batch: The input of its ``test_step``.
        image: The network's input.
        prediction: Boxes, or scores of the classes.
        seconds: Time of the prediction.
        attention: Attention weights; None if the model has no attention.
        firing: Firing rates; None if the network does not spike.
        operations: Operations of the prediction.
        each_step: Boxes after each time step; None for classifiers, models with one
            time step and those with a part that cannot stream.
    """

    served: ServedModel
    batch: Mapping[str, Any]
    image: InputImage
    prediction: Prediction
    seconds: float
    attention: ImageAttention | None
    firing: Firing | None
    operations: Operations
    each_step: EachStep | None
    _kept: dict[str, tuple[Any, Any]] = field(default_factory=dict, repr=False)

    @property
    def energy(self) -> EnergyEstimate:
        """Energy of this picture."""
        return estimate_energy(self.operations)

    @property
    def twin(self) -> EnergyEstimate:
        """Energy of the same network without spikes."""
        return estimate_energy(without_spikes(self.operations))

    def spikes(self, layer: str) -> ImageSpikes:
        """Return the spikes and some potentials of a layer of neurons.

        Raises:
            UserError: If there is no such layer.
        """
        return self._keep('spikes', layer, lambda: _record_spikes(self, layer))

    def cam(self, category: int | None, box: int | None) -> ImageCam:
        """Return the Grad-CAM of a class or box at the backbone's outputs.

        Raises:
            UserError: If there is no such class or box.
        """
        return self._keep(
            'cam',
            (category, box),
            lambda: explain_prediction(
                self.served.model, deepcopy(self.batch), 'backbone', category, box
            ),
        )

    def _keep(self, kind: str, key: Any, compute: Any) -> Any:
        """Return a cached value, or compute it; each kind keeps the latest value."""
        if self._kept.get(kind, (None,))[0] != key:
            self._kept[kind] = (key, compute())
        return self._kept[kind][1]


def _record_spikes(result: Result, layer: str) -> ImageSpikes:
    with SpikeCapture(result.served.model, layer) as capture:
        predict(result.served.model, deepcopy(result.batch))
    return capture.result()


def measure(served: ServedModel, batch: Mapping[str, Any]) -> Result:
    """Run a model on a picture or recording and measure it.

    Args:
        served: The model.
        batch: The input of its ``test_step``, with one sample.

    Raises:
        UserError: If the model does not accept the sample.
    """
    model = served.model
    # on its own, so that only the network's operations are counted
    with OperationCounter(model) as counter:
        predict(model, deepcopy(batch))
    with _Input(model) as seen:
        start = time.perf_counter()
        (sample,) = predict(model, deepcopy(batch))
        seconds = time.perf_counter() - start
    image, _ = seen.seen(())
    rates = FiringRates(model) if served.layers else None
    weights = AttentionCapture(model) if has_attention(model) else None
    if rates or weights:
        with ExitStack() as stack:
            for recorder in filter(None, (rates, weights)):
                stack.enter_context(recorder)
            predict(model, deepcopy(batch))
    firing = rates.result() if rates else None
    attention = weights.result() if weights else None
    return Result(
        served,
        batch,
        image,
        read_prediction(sample),
        seconds,
        attention,
        firing,
        counter.result(),
        _detect_each_step(served, batch),
    )


def _detect_each_step(served: ServedModel, batch: Mapping[str, Any]) -> EachStep | None:
    if served.num_steps == 1:
        return None
    samples: list[Any] = []
    try:
        for t in range(1, served.num_steps + 1):
            samples += detect_after(served.model, batch, t)
    except ValueError:
        return None
    rule = StoppingRule()
    found = tuple(cast(Detections, read_prediction(sample)) for sample in samples)
    return EachStep(found, stopping_step(samples, rule), rule)


class Results:
    """The latest results, by names that cannot be guessed.

    Args:
        limit: Maximum number of results to keep.
    """

    def __init__(self, limit: int = 32) -> None:
        self._limit = limit
        self._results: OrderedDict[str, Result] = OrderedDict()
        self._lock = threading.Lock()

    def add(self, result: Result) -> str:
        """Keep a result and return its name."""
        name = secrets.token_urlsafe(12)
        with self._lock:
            self._results[name] = result
            while len(self._results) > self._limit:
                self._results.popitem(last=False)
        return name

    def get(self, name: str) -> Result | None:
        """Return the result with a name; None if it is unknown or expired."""
        with self._lock:
            return self._results.get(name)
