"""The exporters, and the check of whether they can export a model."""

from collections.abc import Callable
from dataclasses import dataclass

from mmengine.config import Config
from torch import Tensor, nn

from mmsnn.utils import NamedRows
from mmsnn.utils.errors import UserError

from .nir_graph import check_nir, nir_networks
from .picture_input import PictureInput
from .step_export import rest_of
from .tensor_networks import as_tensor_network, example_inputs


@dataclass(frozen=True)
class Verdict:
    """What an exporter can export of a model.

    Attributes:
        takes: ``'all'``, the name of the part that it exports, or ``''`` for nothing.
        reasons: Why it does not export all.
    """

    takes: str
    reasons: tuple[str, ...] = ()


@dataclass(frozen=True)
class Exporter:
    """A row of :data:`EXPORTERS`.

    Args:
        check: Takes a model in evaluation mode, its full config and an example of its
            input.
    """

    check: Callable[[nn.Module, Config, Tensor], Verdict]


def check_tensor_network(model: nn.Module, cfg: Config, images: Tensor) -> Verdict:
    """Check the inputs and the kind of model, without tracing it."""
    reasons = []
    if images.dim() != 4:
        reasons.append('its input is frames over time, not pictures')
    for build in (lambda: PictureInput.of(cfg), lambda: as_tensor_network(model)):
        try:
            build()
        except UserError as error:
            reasons.append(str(error))
    return Verdict('' if reasons else 'all', tuple(reasons))


def check_onnx(model: nn.Module, cfg: Config, images: Tensor) -> Verdict:
    """Check also that no part of the model draws random numbers."""
    verdict = check_tensor_network(model, cfg, images)
    drawing = [
        f'{name} ({type(part).__name__}) draws random numbers'
        for name, part in model.named_modules()
        if getattr(part, 'draws_random_numbers', False)
    ]
    return Verdict('', (*verdict.reasons, *drawing)) if drawing else verdict


def check_step(model: nn.Module, cfg: Config, images: Tensor) -> Verdict:
    """Check also that every part of the model can stream."""
    verdict = check_onnx(model, cfg, images)
    if verdict.reasons:
        return verdict
    network = as_tensor_network(model).eval()
    try:
        rest_of(network, [*example_inputs(network, images).values()], num_steps=1)
    except UserError as error:
        return Verdict('', (str(error),))
    return verdict


def check_nir_parts(model: nn.Module, cfg: Config, images: Tensor) -> Verdict:
    """Check a classifier up to its scores, then the backbone."""
    reasons: list[str] = []
    *_, backbone = networks = nir_networks(model)
    for network in networks:
        found = check_nir(network, images)
        if not found:
            whole = network is not backbone or backbone is model
            return Verdict('all' if whole else 'backbone', tuple(reasons))
        reasons = found
    return Verdict('', tuple(reasons))


EXPORTERS: NamedRows[Exporter] = NamedRows(
    'exporter',
    Exporter,
    {
        'onnx': Exporter(check_onnx),
        'onnx-step': Exporter(check_step),
        'torch': Exporter(check_tensor_network),
        'nir': Exporter(check_nir_parts),
    },
)
"""The exporters by name; ``EXPORTERS.register(name, exporter)`` adds one."""

__all__ = ['EXPORTERS', 'Exporter', 'Verdict']
