"""Detections after each time step, and when they no longer change."""

import copy
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch
from mmengine.evaluator import Evaluator
from torch import nn
from torchvision.ops import box_iou

from mmsnn.models.neurons import BaseNeuron
from mmsnn.streaming import step

from .energy import CountingRules, EnergyModel, OperationCounter, estimate_energy
from .energy.operations import Operations


@dataclass(frozen=True)
class StoppingRule:
    """Rule that stops at the first time step that does not change the detections.

    The detections with a score of at least ``score`` must match those of the previous
    time step one to one: with the same class and an IoU of at least ``iou``. The
    earliest such time step is the second.

    Args:
        score: Minimum score of the detections that are compared, in [0, 1].
        iou: Minimum intersection over union of two matching boxes, in (0, 1].

    Raises:
        ValueError: If an argument is out of range.
    """

    score: float = 0.3
    iou: float = 0.75

    def __post_init__(self) -> None:
        if not 0 <= self.score <= 1:
            raise ValueError(f'score must be in [0, 1], but got {self.score}')
        if not 0 < self.iou <= 1:
            raise ValueError(f'iou must be in (0, 1], but got {self.iou}')

    def same(self, some: Any, others: Any) -> bool:
        """Return whether the detections of two ``pred_instances`` match."""
        some, others = (x[x.scores >= self.score] for x in (some, others))
        if len(some) != len(others):
            return False
        overlaps = box_iou(some.bboxes, others.bboxes)
        overlaps[some.labels[:, None] != others.labels] = 0
        for row in some.scores.argsort(descending=True).tolist():
            best = int(overlaps[row].argmax())
            if overlaps[row, best] < self.iou:
                return False
            overlaps[:, best] = 0
        return True

    def __str__(self) -> str:
        return (
            f'an image stops at the first time step whose detections with score >= '
            f'{self.score:g} match those of the previous one, one to one: same class, '
            f'IoU >= {self.iou:g}'
        )


@dataclass(frozen=True)
class StepResult:
    """Results after a number of time steps.

    Args:
        num_steps: Number of time steps; for early stopping, the mean over the images.
        metrics: Metrics that the evaluator returns.
        energy_pj: Energy per image in pJ if detections are computed after the last of
            the time steps only; for early stopping, the same as ``each_pj``.
        each_pj: Energy per image in pJ if detections are computed after each of the
            time steps: layers that run once, on the image or on decoded features, run
            once per result.
        stopped: Share of the images that have stopped by then, in [0, 1].
    """

    num_steps: float
    metrics: Mapping[str, float]
    energy_pj: float
    each_pj: float
    stopped: float


@dataclass(frozen=True)
class Anytime:
    """Results after each time step and with early stopping.

    Args:
        steps: Results after 1, 2, ..., T time steps.
        early: Results with early stopping.
        rule: Rule of early stopping.
        num_images: Number of images.
    """

    steps: tuple[StepResult, ...]
    early: StepResult
    rule: StoppingRule
    num_images: int


def measure_anytime(
    detector: nn.Module,
    batches: Iterable[dict[str, Any]],
    make_evaluator: Callable[[], Evaluator],
    costs: EnergyModel,
    rules: CountingRules,
    stopping: StoppingRule,
) -> Anytime:
    """Evaluate a detector after each of its time steps.

    MMDetection's evaluators return no metrics if there are no detections; these metrics
    are reported as 0.

    Args:
        detector: A detector of MMDetection in evaluation mode.
        batches: Batches for its ``test_step``.
        make_evaluator: Returns a new evaluator of the data set.
        costs: Energy per operation.
        rules: Counting rules.
        stopping: Rule of early stopping.

    Raises:
        ValueError: If the detector has no spiking neurons or a part that cannot stream,
            or does not predict boxes, or if there are no images or it finds nothing in
            any of them.
    """
    num_steps = max(
        (m.num_steps for m in detector.modules() if isinstance(m, BaseNeuron)),
        default=0,
    )
    if not num_steps:
        raise ValueError('the model has no spiking neurons: it has no time steps')
    evaluators = [make_evaluator() for _ in range(num_steps + 1)]
    counters = [OperationCounter(detector) for _ in range(num_steps)]
    stops: list[int] = []
    for batch in batches:
        runs = []
        for t, counter in enumerate(counters, start=1):
            with counter:
                runs.append(detect_after(detector, batch, t))
        ends = [stopping_step(samples, stopping) for samples in zip(*runs, strict=True)]
        early = [runs[end - 1][i] for i, end in enumerate(ends)]
        for evaluator, samples in zip(evaluators, [*runs, early], strict=True):
            evaluator.process(samples, batch)
        stops += ends
    if not stops:
        raise ValueError('there are no images')
    metrics = [evaluator.evaluate(len(stops)) for evaluator in evaluators]
    names = next(filter(None, metrics), None)
    if names is None:
        raise ValueError('the detector finds nothing in any image, at any time step')
    metrics = [found or dict.fromkeys(names, 0.0) for found in metrics]
    operations = [counter.result() for counter in counters]

    def energy(counted: Operations) -> float:
        return estimate_energy(counted, costs, rules).total.energy_pj

    every = range(len(stops))
    steps = tuple(
        StepResult(
            t,
            metrics[t - 1],
            energy(operations[t - 1]),
            sum(map(energy, _each(operations[:t], every))),
            sum(end <= t for end in stops) / len(stops),
        )
        for t in range(1, num_steps + 1)
    )
    spent = 0.0
    for t in set(stops):
        images = [i for i in every if stops[i] == t]
        spent += len(images) * sum(map(energy, _each(operations[:t], images)))
    spent /= len(stops)
    mean = sum(stops) / len(stops)
    early_result = StepResult(mean, metrics[-1], spent, spent, 1.0)
    return Anytime(steps, early_result, stopping, len(stops))


@torch.no_grad()
def detect_after(
    detector: Any, batch: Mapping[str, Any], num_steps: int
) -> Sequence[Any]:
    """Return the detections of a batch after some time steps, starting at rest.

    Args:
        detector: A detector of MMDetection in evaluation mode.
        batch: A batch for its ``test_step``, which is not changed. Of frames
            ``[T, C, H, W]``, the first ``num_steps`` are used.
        num_steps: Number of time steps.

    Returns:
        One ``DetDataSample`` per image, with ``pred_instances``.

    Raises:
        ValueError: If the detector has a part that cannot stream, or predicts no boxes.
    """
    # detectors write their predictions into the samples
    data = detector.data_preprocessor(copy.deepcopy(dict(batch)), False)
    if data['inputs'].dim() == 5:
        data['inputs'] = data['inputs'][:, :num_steps]
    samples, _ = step(detector, **data, mode='predict', num_steps=num_steps)
    if any(getattr(sample, 'pred_instances', None) is None for sample in samples):
        raise ValueError(
            f'{type(detector).__name__} predicts no boxes: it is not a detector'
        )
    return samples


def stopping_step(samples: Sequence[Any], rule: StoppingRule) -> int:
    """Return the time step at which an image stops.

    Args:
        samples: Its detections after 1, 2, ... time steps.
        rule: The rule.
    """
    found = [sample.pred_instances for sample in samples]
    for t, (before, now) in enumerate(zip(found, found[1:], strict=False), start=2):
        if rule.same(now, before):
            return t
    return len(found)


def _each(runs: Sequence[Operations], images: Sequence[int]) -> list[Operations]:
    """Return the operations of some images if every time step has a result.

    Args:
        runs: Operations of 1, 2, ... time steps.
        images: Indices of the images.

    Returns:
        All operations of the last run and, for the layers that run once per call rather
        than once per time step, those of the previous runs.
    """
    once = {(layer.name, layer.kind) for layer in runs[-1].layers if layer.steps == 1}
    chosen = []
    for run in runs:
        layers = tuple(
            replace(layer, images=tuple(layer.images[i] for i in images))
            for layer in run.layers
            if run is runs[-1] or (layer.name, layer.kind) in once
        )
        neurons = run.neurons if run is runs[-1] else ()
        chosen.append(
            replace(run, layers=layers, neurons=neurons, num_images=len(images))
        )
    return chosen


__all__ = [
    'Anytime',
    'StepResult',
    'StoppingRule',
    'detect_after',
    'measure_anytime',
    'stopping_step',
]
