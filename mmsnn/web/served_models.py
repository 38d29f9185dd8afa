"""The models that the page offers, and their samples."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from mmengine.config import Config
from torch import nn

from mmsnn.analysis.model_inputs import (
    InputSource,
    build_model,
    make_batches,
    make_file_batches,
    takes_events,
)
from mmsnn.analysis.model_parts import named_neurons
from mmsnn.models.neurons import BaseNeuron
from mmsnn.reporting import picture_settings
from mmsnn.utils.class_checks import classes_of_test_set
from mmsnn.utils.config_files import load_config
from mmsnn.utils.errors import UserError

SAMPLES = Path(__file__).parent / 'samples'
NUM_SAMPLES = 6
MAX_EVENTS = 2_000_000
"""Largest number of events of a recording."""


@dataclass(frozen=True)
class ServedModel:
    """A model of a config and a checkpoint, built when it is first used.

    Attributes:
        title: Its name on the page.
        description: One line, or an empty string.
        config: Path of the config, or ``mmsnn::FOLDER/FILE``.
        checkpoint: Path of the checkpoint.
        warn: Called with warnings about the checkpoint.
        cfg_options: Settings that override those of the config.
    """

    title: str
    description: str
    config: str
    checkpoint: str
    warn: Callable[[str], None]
    cfg_options: Mapping[str, Any] | None = None

    @cached_property
    def cfg(self) -> Config:
        """The config.

        Raises:
            UserError: If it cannot be read.
        """
        return load_config(self.config, self.cfg_options)

    @cached_property
    def model(self) -> nn.Module:
        """The model in eval mode.

        Raises:
            UserError: If it cannot be built, or the checkpoint does not fit.
        """
        return build_model(self.cfg, self.checkpoint, self.warn)

    @cached_property
    def classes(self) -> tuple[str, ...] | None:
        """Names of the classes, if they are known."""
        return classes_of_test_set(self.cfg)

    @cached_property
    def neurons(self) -> dict[str, BaseNeuron]:
        """The layers of neurons by name; none if the network does not spike."""
        try:
            return dict(named_neurons(self.model))
        except ValueError:
            return {}

    @property
    def layers(self) -> tuple[str, ...]:
        """Names of the layers of neurons."""
        return tuple(self.neurons)

    @property
    def num_steps(self) -> int:
        """Number of time steps."""
        return max((neuron.num_steps for neuron in self.neurons.values()), default=1)

    @property
    def preprocessor(self) -> Mapping[str, Any]:
        """The settings that turn the network's inputs back into pictures."""
        return picture_settings(self.cfg)

    @cached_property
    def takes_events(self) -> bool:
        """Whether the model takes event recordings, not pictures."""
        return takes_events(self.cfg)

    @cached_property
    def samples(self) -> Sequence[Mapping[str, Any]]:
        """Batches of one sample each, from the test set or else the bundled files.

        Raises:
            UserError: If they do not fit the model.
        """
        try:
            batches = make_batches(self.cfg, InputSource('dataset'), NUM_SAMPLES)
        except UserError:
            bundled = SAMPLES.glob('*.dat' if self.takes_events else '*.jpg')
            batches = make_file_batches(self.cfg, sorted(bundled))
        return list(batches)

    def read_file(self, path: Path) -> Mapping[str, Any]:
        """Return a batch of one image file or recording.

        Raises:
            UserError: If the file cannot be read, or has more than ``MAX_EVENTS``.
        """
        (batch,) = make_file_batches(self.cfg, [path], MAX_EVENTS)
        return batch
