"""What the SEW and SG papers say of their networks for event data.

SEW: Fang et al. 2021, *Deep residual learning in spiking neural networks*. SG: Zhang et
al. 2023, *Direct training high-performance spiking neural networks*.
"""

from typing import NamedTuple


class Row(NamedTuple):
    """What the papers say of one network."""

    family: str
    wide: bool
    parameters: str
    steps: int
    train_steps: int
    lr: float
    epochs: int
    batch: int
    classes: int
    accuracy: float | None
    """In percent; None where it is in a figure only."""


def gesture(family: str, lr: float, accuracy: float) -> Row:
    """SEW, Table 4 (accuracy), 5 (parameters), 7 (all else), 8 (lr) and A.2 (12 of 16).

    The networks of Table 4 have no more parameters than SEW ADD's 0.13 M.
    """
    return Row(family, False, '0.13', 16, 12, lr, 192, 16, 11, accuracy)


def whole(family: str, lr: float) -> Row:
    """SEW, Fig. 10: without random temporal delete."""
    return gesture(family, lr, 0)._replace(train_steps=16, accuracy=None)


def cifar(steps: int, accuracy: float) -> Row:
    """SEW, Tables 6 (T, parameters, accuracy) and 7; A.1: no random temporal delete."""
    return Row('SEW-ADD', True, '1.19', steps, steps, 0.01, 64, 16, 10, accuracy)


GESTURE = '1xb16-amp-192e_dvs128-gesture'
CIFAR = '1xb16-amp-64e_cifar10-dvs'
PAPERS = {
    f'dvs128_gesture/sew-add-7b_{GESTURE}': gesture('SEW-ADD', 0.001, 97.92),
    f'dvs128_gesture/sew-and-7b_{GESTURE}': gesture('SEW-AND', 0.03, 70.49),
    f'dvs128_gesture/sew-iand-7b_{GESTURE}': gesture('SEW-IAND', 0.063, 95.49),
    f'dvs128_gesture/spiking-7b_{GESTURE}': gesture('Spiking', 0.1, 90.97),
    f'dvs128_gesture/plain-7b_{GESTURE}': gesture('plain', 0.005, 91.67),
    f'dvs128_gesture/sew-add-7b-without-delete_{GESTURE}': whole('SEW-ADD', 0.001),
    f'dvs128_gesture/spiking-7b-without-delete_{GESTURE}': whole('Spiking', 0.1),
    f'dvs128_gesture/plain-7b-without-delete_{GESTURE}': whole('plain', 0.005),
    f'cifar10_dvs/sew-add-wide-7b-t4_{CIFAR}': cifar(4, 64.8),
    f'cifar10_dvs/sew-add-wide-7b-t8_{CIFAR}': cifar(8, 70.2),
    f'cifar10_dvs/sew-add-wide-7b-t16_{CIFAR}': cifar(16, 74.4),
    # SG, Tables 2 and 3 and Section 5.1.4 (four of 16 slices deleted)
    'cifar10_dvs/sg-7b-rate_1xb8-amp-64e_cifar10-dvs': Row(
        'SG-BSG', False, '0.13', 16, 12, 0.01, 64, 8, 10, 70.6
    ),
}
