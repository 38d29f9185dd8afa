"""Measure how time and memory grow with the number of steps and with pixels.

Inference, a training step, and the exact bytes held for the backward pass are measured
for mmsnn's SG ResNet18. A line is fitted to the medians; R^2 is its coefficient of
determination.

Usage:
    python benchmarks/growth.py [--pairs 8] [--images 1] [--size 224] [--steps 8]
        [--threads 2] [--json FILE]
"""

from collections.abc import Sequence
from functools import partial
from itertools import chain
from statistics import median
from typing import Any

import _pairs

INFERENCE, TRAINING = ', inference', ', training'


def linear_fit(x: Sequence[float], y: Sequence[float]) -> dict[str, float]:
    """Return slope, intercept and R^2 of the least-squares line."""
    import numpy as np

    slope, intercept = np.polyfit(x, y, 1)
    rest = np.asarray(y) - (slope * np.asarray(x) + intercept)
    spread = np.asarray(y) - np.mean(y)
    r2 = 1.0 if not spread.any() else 1 - float((rest**2).sum() / (spread**2).sum())
    return {'slope': float(slope), 'intercept': float(intercept), 'r2': r2}


def table(
    variable: str, rows: dict[int, str], times: _pairs.Times, held: dict[str, int]
) -> dict[str, Any]:
    """Return times and memory by the values of a variable, and lines fitted to them.

    Args:
        variable: Name of the variable.
        rows: Names of the cases by the variable's value.
        times: The measured times.
        held: Bytes held, by name of the case.
    """
    columns = {
        'inference_ms': [1000 * median(times[n + INFERENCE]) for n in rows.values()],
        'training_ms': [1000 * median(times[n + TRAINING]) for n in rows.values()],
        'held_mib': [held[n] / 2**20 for n in rows.values()],
    }
    return {
        'variable': variable,
        'values': list(rows),
        **columns,
        'fits': {name: linear_fit(list(rows), y) for name, y in columns.items()},
    }


def main() -> None:
    """Measure, print and save."""
    args = _pairs.parse_args(
        'Measure how time and memory grow',
        pairs=8,
        images=(1, 'batch size N'),
        size=(224, 'height and width of the largest images'),
        steps=(8, 'largest number of time steps; 4 are taken for growth with pixels'),
    )
    import _networks as nets
    from _held import held_bytes

    by_steps = {t: f'T = {t}, {args.size} px' for t in (1, 2, 4, 8) if t <= args.steps}
    steps = min(4, args.steps)
    sizes = sorted({args.size * k // 4 // 32 * 32 or 32 for k in (1, 2, 3, 4)})
    by_pixels = {size**2: f'T = {steps}, {size} px' for size in sizes}
    shapes = {name: (t, args.size) for t, name in by_steps.items()}
    shapes |= {by_pixels[size**2]: (steps, size) for size in sizes}

    cases: dict[str, _pairs.Case] = {}
    held = {}
    for name, (t, size) in shapes.items():
        images = nets.make_images(args.images, size)
        net = nets.make_spiking(t)
        held[name] = held_bytes(
            partial(net, images), chain(net.parameters(), net.buffers())
        )
        cases[name + TRAINING] = partial(nets.train_step, net, images)
        frozen = nets.calibrate(nets.make_spiking(t), nets.make_images(4, size))
        frozen.requires_grad_(False)
        cases[name + INFERENCE] = partial(frozen, images)
    times = _pairs.take_turns(cases, args.pairs, warm_up=1)
    growth = [
        table('time steps', by_steps, times, held),
        table('pixels', by_pixels, times, held),
    ]
    pairs = [
        (by_steps[t] + kind, by_steps[1] + kind)
        for t in by_steps
        for kind in (INFERENCE, TRAINING)
        if t > 1
    ]
    _pairs.save(args, times, pairs, growth=growth)


if __name__ == '__main__':
    _pairs.run(main)
