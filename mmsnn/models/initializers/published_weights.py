"""Load published weights of ResNets strictly: nothing is skipped silently.

The layouts are recognised by their keys, and a file can mix them:

- torchvision's ``conv1``, ``bn1``, ``layer1.0.conv1``, ``layer1.0.bn1``,
  ``layer1.0.downsample.0``, ``fc``, which SpikingJelly's Spiking and SEW ResNets share;
- SpikingJelly's MS-ResNet: the same with ``stem.0``, ``stem.1`` and ``head``;
- the SEW paper's authors': convolution and norm in one container, as in
  ``layer1.0.conv1.module.0`` (their SpikingJelly) or ``layer1.0.conv1.0`` (newer ones).
"""

import re
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from mmsnn.models.backbones.resnet import ResNetSNN
from mmsnn.models.layers import Unit
from mmsnn.models.residual.merges import Merge
from mmsnn.registry import WEIGHT_INITIALIZERS
from mmsnn.utils.checkpoints import enumerate_some, fit_weights
from mmsnn.utils.errors import UserError

from .base import PublishedWeights

_STEM = {'conv1': 'conv', 'bn1': 'norm', 'stem.0': 'conv', 'stem.1': 'norm'}
_LAYER = re.compile(
    r'layer(?P<stage>[1-9]\d*)\.(?P<block>\d+)\.'
    r'(?:conv(?P<unit>[1-9])(?:\.(?P<in_unit>[01]))?'
    r'|bn(?P<norm>[1-9])'
    # the container is nested in SEW, whose projection ends with a neuron
    r'|downsample(?:\.0)?\.(?P<in_projection>[01]))'
)
_CLASSIFIER = re.compile(r'(?:fc|head)\.(weight|bias)')


def convert_resnet(
    state: Mapping[str, Tensor], backbone: ResNetSNN
) -> dict[str, Tensor]:
    """Rename a ResNet's weights to their names in ``backbone``.

    ``state`` must contain every convolution of the stem, the branches and the
    projections, with the norm after it; the norms' batch counts are optional.
    Parameters that only spiking networks have keep their values: learned gates, PLIF's
    time constants, a stem's attention, the norms of tdBN's identity shortcuts, closing
    norms. Only the keys that :func:`left_out` returns are ignored.

    Args:
        state: The weights, in one of the layouts that this module lists.
        backbone: The network to load them into; it is not changed.

    Returns:
        The tensors of ``state`` by their names in ``backbone``.

    Raises:
        ValueError: If a key of ``state`` is unknown, a tensor is missing, or shapes
            differ; the message names them.
    """
    skipped = set(left_out(state, backbone))
    names = {key: our_name(key) for key in state if key not in skipped}
    if not any(names.values()):
        raise ValueError(
            f"no key is that of a ResNet: {enumerate_some(names)} (type='Pretrained' "
            'loads checkpoints of this package)'
        )
    return fit_weights(state, names, *_places(backbone), describe_backbone(backbone))


def convert_classifier(
    state: Mapping[str, Tensor], head: nn.Module
) -> dict[str, Tensor]:
    """Rename a ResNet's classifier to its names in MMPretrain's linear head.

    Args:
        state: The weights, in one of the layouts that this module lists.
        head: The head of an ``ImageClassifier``.

    Returns:
        The tensors of ``state`` by the head's names, ``fc.weight`` and ``fc.bias``;
        empty if ``state`` has no classifier.

    Raises:
        ValueError: If the head has no such parameters or their shapes differ.
    """
    names = {key: f'fc.{key.rpartition(".")[2]}' for key in classifier_keys(state)}
    places = {name: value.shape for name, value in head.state_dict().items()}
    return fit_weights(state, names, places, set(), type(head).__name__)


def our_name(key: str) -> str | None:
    """Return mmsnn's name of a published weight, or None if there is none."""
    layer, _, entry = _plain(key).rpartition('.')
    if layer in _STEM:
        return f'stem.encode.{_STEM[layer]}.{entry}'
    found = _LAYER.fullmatch(layer)
    if found is None:
        return None
    path = 'projection'
    if not found['in_projection']:
        path = f'branch.{int(found["unit"] or found["norm"]) - 1}'
    is_norm = found['norm'] or '1' in (found['in_unit'], found['in_projection'])
    block = f'stages.{int(found["stage"]) - 1}.{found["block"]}'
    return f'{block}.{path}.{"norm" if is_norm else "conv"}.{entry}'


def classifier_keys(state: Mapping[str, Any]) -> list[str]:
    """Return the keys of ``state`` that belong to the classifier."""
    return [key for key in state if _CLASSIFIER.fullmatch(_plain(key))]


def left_out(state: Mapping[str, Any], backbone: ResNetSNN) -> list[str]:
    """Return the keys of the layers after the end of ``backbone``.

    They are the classifier and the stages after the last of ``out_indices``.
    """
    built = len(backbone.stages)
    stages = range(built + 1, len(backbone.architecture.num_blocks) + 1)
    unbuilt = tuple(f'layer{stage}.' for stage in stages)
    after = [key for key in state if _plain(key).startswith(unbuilt)]
    return after + classifier_keys(state)


def describe_backbone(backbone: ResNetSNN) -> str:
    """Return a network's class, depth and wiring, for messages."""
    wiring = backbone.family
    orders = f'units {wiring.unit}, last {wiring.last_unit}'
    return f'{type(backbone).__name__}{backbone.depth} ({orders})'


def _plain(key: str) -> str:
    """Return a key without DDP's prefix and SpikingJelly's container."""
    return key.removeprefix('module.').replace('.module.', '.')


def _places(backbone: ResNetSNN) -> tuple[dict[str, torch.Size], set[str]]:
    """Return the shapes of loadable tensors by name, and the names of required ones.

    A norm before its convolution is required but not loadable, so that it raises: a
    ResNet's norms apply to the convolution's output, even if the shapes are the same.
    """
    own = [
        f'stem.{name}.'
        for name, _ in backbone.stem.named_children()
        if name not in ('lead', 'encode')
    ]
    displaced: list[str] = []
    for name, module in backbone.named_modules():
        if isinstance(module, Merge) or name.endswith('.neuron'):
            own.append(f'{name}.')
        elif isinstance(module, Unit):
            before, convolution, _ = module.order.partition('C')
            if not convolution:
                own.append(f'{name}.')
            elif 'N' in before:
                displaced.append(f'{name}.norm.')
    shapes = {
        name: value.shape
        for name, value in backbone.state_dict().items()
        if not name.startswith(tuple(own))
    }
    places = {n: s for n, s in shapes.items() if not n.startswith(tuple(displaced))}
    required = {n for n in shapes if not n.endswith('.num_batches_tracked')}
    return places, required


class ClassifierMismatchError(ValueError):
    """Raised if the weights of the linear layer do not fit the classifier's head."""


def convert_model(
    state: dict[str, Any], model: nn.Module, with_classifier: bool = True
) -> tuple[dict[str, Tensor], list[str]]:
    """Return the weights by a whole model's names, and the keys that are left out.

    Args:
        state: The weights; see :func:`convert_resnet`.
        model: A detector, a classifier or any other model whose ``backbone`` is a
            spiking ResNet.
        with_classifier: Whether a classifier's ``head`` gets the weights of the linear
            layer.

    Raises:
        UserError: If the model's backbone is not a spiking ResNet.
        ClassifierMismatchError: If the weights of the linear layer do not fit.
        ValueError: If other weights do not fit.
    """
    backbone = getattr(model, 'backbone', None)
    if not isinstance(backbone, ResNetSNN):
        raise UserError(
            "the model's backbone must be a spiking ResNet, but it is "
            f'{type(backbone).__name__}'
        )
    weights = {
        f'backbone.{name}': value
        for name, value in convert_resnet(state, backbone).items()
    }
    skipped = left_out(state, backbone)
    # detectors have other names for their heads
    head = getattr(model, 'head', None) if with_classifier else None
    if head is not None:
        try:
            filled = convert_classifier(state, head)
        except ValueError as error:
            raise ClassifierMismatchError(str(error)) from error
        weights |= {f'head.{name}': value for name, value in filled.items()}
        kept = set(classifier_keys(state))
        skipped = [key for key in skipped if key not in kept]
    return weights, skipped


@WEIGHT_INITIALIZERS.register_module()
class PretrainedResNet(PublishedWeights):
    """Initialise a spiking ResNet with published weights of a ResNet.

    In a config: ``init_cfg=dict(type='mmsnn.PretrainedResNet',
    checkpoint='torchvision://resnet18')``. See :func:`convert_resnet` for which weights
    are required and loaded.

    Args:
        checkpoint: See :func:`mmsnn.utils.checkpoints.read_weights`.

    Raises:
        TypeError: If ``checkpoint`` is not a string.
    """

    network = ResNetSNN
    network_name = 'a ResNetSNN (SEWResNet, SGResNet, ...)'

    def convert(
        self, state: Mapping[str, Tensor], network: ResNetSNN
    ) -> dict[str, Tensor]:
        """Return :func:`convert_resnet` of the weights."""
        return convert_resnet(state, network)

    def summary(
        self, state: Mapping[str, Tensor], network: ResNetSNN, missing: Sequence[str]
    ) -> str:
        """Return what was filled, left out, and not in the file."""
        own = [name for name in missing if not name.endswith('.num_batches_tracked')]
        return (
            f'{describe_backbone(network)}; left out: '
            f'{enumerate_some(left_out(state, network)) or "nothing"}; '
            f'not in the file: {enumerate_some(own) or "nothing"}'
        )
