"""Targets of docs/performance.md, read from the results of the benchmarks."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

Results = Mapping[str, Mapping[str, Any]]

SNN = 'mmsnn, SG ResNet18'
ANN = 'torchvision, ResNet18'
JELLY = 'SpikingJelly, sew_resnet18'
EFFICIENT = SNN + ', memory_efficient'


@dataclass(frozen=True)
class Target:
    """A ratio that should be at most ``limit``.

    Args:
        what: Description of the ratio.
        limit: The target.
        measured: Returns the ratio from the results of the benchmarks.
        matrix_units: Whether it is a target for processors with bf16 matrix units.
    """

    what: str
    limit: float
    measured: Callable[[Results], float]
    matrix_units: bool = False


def find_ratio(results: Results, benchmark: str, case: str, base: str) -> float:
    """Return the ratio of two medians.

    Raises:
        ValueError: If the benchmark has not compared them.
    """
    for ratio in results[benchmark]['ratios']:
        if (ratio['case'], ratio['base']) == (case, base):
            return ratio['ratio']
    raise ValueError(f'{benchmark} does not compare {case!r} with {base!r}')


def _times(benchmark: str, case: str, base: str) -> Callable[[Results], float]:
    return lambda results: find_ratio(results, benchmark, case, base)


def _held(case: str, base: str) -> Callable[[Results], float]:
    def measured(results: Results) -> float:
        held = results['memory']['held_bytes']
        return held[case] / held[base]

    return measured


TARGETS = (
    Target(
        "inference / torchvision's, norms folded",
        1.10,
        _times('inference', SNN + ', folded', ANN + ', folded'),
    ),
    Target(
        "inference / torchvision's, norms not folded",
        1.10,
        _times('inference', SNN, ANN),
    ),
    Target(
        "inference / SpikingJelly's, norms not folded",
        0.60,
        _times('inference', SNN, JELLY),
    ),
    Target("training step / torchvision's", 1.15, _times('training', SNN, ANN)),
    Target("training step / SpikingJelly's", 0.75, _times('training', SNN, JELLY)),
    Target("held after a training forward / torchvision's", 1.35, _held(SNN, ANN)),
    Target('held with `memory_efficient` / without', 0.25, _held(EFFICIENT, SNN)),
    Target(
        'training step with `memory_efficient` / without',
        1.45,
        _times('memory', EFFICIENT, SNN),
    ),
    Target(
        'inference, T = 4 / T = 1',
        3.70,
        _times('growth', 'T = 4, 224 px, inference', 'T = 1, 224 px, inference'),
    ),
    Target(
        'bf16 by autocast / fp32',
        0.55,
        _times('precision', 'bf16, autocast', 'fp32'),
        True,
    ),
    Target(
        'whole bf16 network / fp32',
        0.55,
        _times('precision', 'bf16, whole network', 'fp32'),
        True,
    ),
    Target(
        'int8 weights / whole bf16 network',
        1.00,
        _times('precision', 'int8 weights', 'bf16, whole network'),
        True,
    ),
)
