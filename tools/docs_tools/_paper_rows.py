"""Rows of docs/paper_numbers.md."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import _measured_numbers as ours

CIFAR = 'tests/test_configs/test_cifar_configs.py'
IMAGENET = 'tests/test_configs/test_imagenet_configs.py'
EVENTS = 'tests/test_configs/test_event_configs.py'
ENERGY = 'tests/test_analysis/test_energy.py'
COUNTS = 'tests/test_models/test_parameter_counts.py'
SURROGATE = 'tests/test_models/test_neurons/test_surrogate.py::test_derivative'
THIS = 'tests/test_paper_numbers.py::test_agrees_with_the_paper'


@dataclass(frozen=True)
class Number:
    """A number of a paper, and how to obtain it here.

    Args:
        paper: The paper.
        where: Table, figure, equation or section.
        what: Description.
        reported: The paper's number, as text.
        measure: Returns ours in the same form.
        command: A command that prints our number, or the path of the config with it.
        test: The test that shows it, ``FILE::NAME``.
        difference: Why the two differ, if they do.
    """

    paper: str
    where: str
    what: str
    reported: str
    measure: Callable[[], str]
    command: str
    test: str
    difference: str = ''


def flops(config: str, pixels: int = 32) -> str:
    """Return the command that prints the parameters of a config's model."""
    return f'mmsnn flops {config} --shape {pixels}'


def parameters(
    paper: str,
    where: str,
    what: str,
    reported: str,
    config: str,
    test: str,
    difference: str = '',
) -> Number:
    """Return the row of a config's number of parameters."""
    pixels = 224 if '_imagenet' in config else 64 if 'dvs' in config else 32
    command = flops(config, pixels)
    return Number(
        paper,
        where,
        f'parameters, {what}',
        reported,
        lambda: ours.parameters(config),
        command,
        test,
        difference,
    )


def recipe(paper: str, where: str, reported: str, config: str, test: str) -> Number:
    """Return the row of a config's training settings."""
    data = Path(config).parent.name
    what = f'training, {data}'
    return Number(
        paper, where, what, reported, lambda: ours.recipe(config), config, test
    )
