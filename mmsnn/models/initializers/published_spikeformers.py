"""Load published weights of spike-driven Transformers strictly.

The keys are those of the authors' code (BICLab/Spike-Driven-Transformer-V2 and -V3):
``downsample1_1.encode_conv``, ``ConvBlock1_1.0.Conv.pwconv1``,
``block3.0.attn.q_conv``, ``block3.0.mlp.fc1_conv``, ``head``. A file has them at its
top level or in ``model``, or in ``state_dict`` with the prefix ``backbone.`` if it is
of a detector.
"""

import re
from collections.abc import Mapping, Sequence

from torch import Tensor

from mmsnn.models.backbones.spikeformer import SpikeFormer
from mmsnn.models.layers import SpikeDrivenAttention, Unit, largest_spike
from mmsnn.registry import WEIGHT_INITIALIZERS
from mmsnn.utils.checkpoints import enumerate_some, fit_weights

from .base import PublishedWeights

PREFIX = 'backbone.'
_CLASSIFIER = re.compile(r'head(_kd)?\.(weight|bias)')
_DOWNSAMPLING = {
    'downsample1_1': 'stem.encode',
    'downsample1_2': 'stages.0.1',
    'downsample2': 'stages.1.0',
    'downsample3': 'stages.2.0',
    'downsample4': 'stages.3.0',
}
_CONV_BLOCKS = {
    'ConvBlock1_1.0': 'stages.0.0',
    'ConvBlock1_2.0': 'stages.0.2',
    'ConvBlock2_1.0': 'stages.1.1',
    'ConvBlock2_2.0': 'stages.1.2',
}
_ATTENTION_BLOCK = re.compile(r'block(?P<stage>[34])\.(?P<block>\d+)\.(?P<layer>.+)')
_PARTS = {'0': 'conv', '1': 'norm'}
_SEPARABLE = {
    'pwconv1': '0.conv',
    'bn1': '0.norm',
    'dwconv': '1.conv',
    'pwconv2': '2.conv',
    'bn2': '2.norm',
}
_MLP = {
    '1_conv': '0.conv',
    '1_bn': '0.norm',
    '2_conv': '1.conv',
    '2_bn': '1.norm',
}
_ATTENTION = {'q': 'query', 'k': 'key', 'v': 'value', 'proj': 'out'}
_REP_CONV = {
    '0.body.0': 'conv.pointwise1',
    '0.body.1.bn': 'conv.padded_norm.norm',
    '0.body.2.0': 'conv.depthwise',
    '0.body.2.1': 'conv.pointwise2',
    '0.body.2.2': 'conv.norm',
}


def convert_spikeformer(
    state: Mapping[str, Tensor], backbone: SpikeFormer
) -> dict[str, Tensor]:
    """Rename published weights to their names in ``backbone``.

    Weights of convolutions after neurons of integers up to D are divided by D, since
    the authors' neurons return C / D, and those of this package C. The 1D convolutions
    of MLPs become 1x1 convolutions. Only the keys that :func:`left_out` returns are
    ignored; the norms' batch counts are optional.

    Args:
        state: The weights, with the keys of the authors' code.
        backbone: The network to load them into; it is not changed.

    Returns:
        The tensors by their names in ``backbone``.

    Raises:
        ValueError: If a key of ``state`` is unknown, a tensor is missing, or shapes
            differ; the message names them.
    """
    skipped = set(left_out(state, backbone))
    names = {
        key: our_name(key.removeprefix(PREFIX)) for key in state if key not in skipped
    }
    if not any(names.values()):
        raise ValueError(
            'no key is that of a spike-driven Transformer: '
            f"{enumerate_some(names)} (type='Pretrained' loads checkpoints of this "
            'package)'
        )
    own = backbone.state_dict()
    values = {
        key: _as_2d(state[key]) if _is_in_mlp(name) else state[key]
        for key, name in names.items()
    }
    places = {
        name: value.shape
        for name, value in own.items()
        if not name.startswith('closings.')
    }
    required = {name for name in places if not name.endswith('.num_batches_tracked')}
    weights = fit_weights(values, names, places, required, describe_backbone(backbone))
    largest = _largest_spikes(backbone)
    return {
        name: value / largest[name] if name in largest else value
        for name, value in weights.items()
    }


def our_name(key: str) -> str | None:
    """Return mmsnn's name of a published weight, or None if there is none."""
    layer, _, entry = key.rpartition('.')
    head, _, rest = layer.partition('.')
    place = None
    if head in _DOWNSAMPLING and rest in ('encode_conv', 'encode_bn'):
        kind = 'conv' if rest == 'encode_conv' else 'norm'
        place = f'{_DOWNSAMPLING[head]}.{kind}'
    elif found := _ATTENTION_BLOCK.fullmatch(layer):
        block = f'stages.{int(found["stage"]) - 1}.{int(found["block"]) + 1}'
        place = _in_block(block, _in_attention_block(found['layer']))
    else:
        for theirs, ours in _CONV_BLOCKS.items():
            if layer.startswith(f'{theirs}.'):
                inner = layer.removeprefix(f'{theirs}.')
                place = _in_block(ours, _in_conv_block(inner))
    return place and f'{place}.{entry}'


def _in_block(block: str, place: str | None) -> str | None:
    return place and f'{block}.branches.{place}'


def _in_conv_block(layer: str) -> str | None:
    if layer.startswith('Conv.'):
        return _in_separable(layer.removeprefix('Conv.'))
    found = re.fullmatch(r'(conv|bn)([12])', layer)
    if found is None:
        return None
    return f'mlp.{int(found[2]) - 1}.{"conv" if found[1] == "conv" else "norm"}'


def _in_separable(layer: str) -> str | None:
    """Return the place of ``pwconv1`` (V2) or ``pwconv1.0`` (V3), and so on."""
    if layer in _SEPARABLE:
        return f'conv.{_SEPARABLE[layer]}'
    container, _, index = layer.partition('.')
    place = _SEPARABLE.get(container, '')
    if not place.endswith('.conv') or index not in _PARTS:
        return None
    return f'conv.{place.removesuffix("conv")}{_PARTS[index]}'


def _in_attention_block(layer: str) -> str | None:
    part, _, rest = layer.partition('.')
    if part == 'conv':
        return _in_separable(rest)
    if part == 'mlp':
        place = _MLP.get(rest.removeprefix('fc'))
        return place and f'mlp.{place}'
    role, _, inner = rest.partition('_conv.')
    if part != 'attn' or role not in _ATTENTION:
        return None
    place = {**_PARTS, **_REP_CONV}.get(inner)
    return place and f'attention.{_ATTENTION[role]}.{place}'


def left_out(state: Mapping[str, Tensor], backbone: SpikeFormer) -> list[str]:
    """Return the keys that have no place in ``backbone``.

    They are those of the classifier and of the stages after the last of
    ``out_indices``, and a detector's keys without the prefix ``backbone.``.
    """
    inside = any(key.startswith(PREFIX) for key in state)
    last = len(backbone.stages) - 1
    keys = []
    for key in state:
        name = our_name(key.removeprefix(PREFIX)) or ''
        unbuilt = name.startswith('stages.') and int(name.split('.')[1]) > last
        outside = inside and not key.startswith(PREFIX)
        if outside or unbuilt or _CLASSIFIER.fullmatch(key.removeprefix(PREFIX)):
            keys.append(key)
    return keys


def describe_backbone(backbone: SpikeFormer) -> str:
    """Return a network's class and width, for messages."""
    return f'{type(backbone).__name__} (outputs of {backbone.out_channels} channels)'


def _is_in_mlp(name: str | None) -> bool:
    return name is not None and '.mlp.' in name and name.endswith('.conv.weight')


def _as_2d(value: Tensor) -> Tensor:
    """Return the weight of a 1D convolution as that of a 2D convolution."""
    is_1d = isinstance(value, Tensor) and value.dim() == 3
    return value.unsqueeze(-1) if is_1d else value


def _largest_spikes(backbone: SpikeFormer) -> dict[str, float]:
    """Return the largest input of each convolution after neurons of integers."""
    largest: dict[str, float] = {}
    for name, module in backbone.named_modules():
        if isinstance(module, SpikeDrivenAttention):
            value = largest_spike(module.neuron)
            units = ('query', 'key', 'value', 'out')
            largest |= {f'{name}.{unit}.conv.weight': value for unit in units}
        elif isinstance(module, Unit) and 'S' in module.order.partition('C')[0]:
            largest[f'{name}.conv.weight'] = largest_spike(module.neuron)
    return {name: value for name, value in largest.items() if value != 1}


@WEIGHT_INITIALIZERS.register_module()
class PretrainedSpikeFormer(PublishedWeights):
    """Initialise a spike-driven Transformer with its authors' published weights.

    In a config: ``init_cfg=dict(type='mmsnn.PretrainedSpikeFormer',
    checkpoint='55M_kd.pth')``. See :func:`convert_spikeformer` for which weights are
    required and loaded.

    Args:
        checkpoint: See :func:`mmsnn.utils.checkpoints.read_weights`.

    Raises:
        TypeError: If ``checkpoint`` is not a string.
    """

    network = SpikeFormer
    network_name = 'a MetaSpikeFormer or an ESpikeFormer'

    def convert(
        self, state: Mapping[str, Tensor], network: SpikeFormer
    ) -> dict[str, Tensor]:
        """Return :func:`convert_spikeformer` of the weights."""
        return convert_spikeformer(state, network)

    def summary(
        self, state: Mapping[str, Tensor], network: SpikeFormer, missing: Sequence[str]
    ) -> str:
        """Return what was filled and left out."""
        skipped = enumerate_some(left_out(state, network))
        return f'{describe_backbone(network)}; left out: {skipped or "nothing"}'
