"""Every argument of every registered part is checked, by its annotation.

The checkers themselves are tested in ``test_utils/test_checks.py``.
"""

import inspect
import re
from collections.abc import Iterator
from typing import Any

import pytest
import torch

from mmsnn.models import SpikeDecoder
from mmsnn.models.neurons import build_surrogate
from mmsnn.models.residual import FAMILIES, AddMerge, Merge, Wiring
from mmsnn.registry import MODELS, SURROGATES

from .parts import (
    BACKBONES,
    DECODERS,
    NEURONS,
    STEMS,
    backbone_arguments,
    layers,
)

WRONG: dict[Any, list[tuple[Any, type[Exception]]]] = {
    bool: [(1, TypeError), (None, TypeError)],
    int: [('4', TypeError), (4.5, TypeError)],
    float: [('2', TypeError), (float('nan'), ValueError), (True, TypeError)],
}
# what every argument of these names must be, besides its type
SIZES = ('num_steps', 'in_channels', 'base_channels', 'channels', 'kernel_size')
# arguments of stems that no user gives
SET_BY_THE_NETWORK = ('in_channels', 'out_channels', 'spiking')
# annotations that are no types, by argument: each value is refused
OTHERS: dict[str, list[Any]] = {
    'neuron': ['IF', None, {}, {'type': 'IFF'}, {'type': 'IF', 'num_steps': 8}],
    'norm_cfg': [None, 'BN', {}, {'requires_grad': True}],
    'conv_cfg': [{'type': 'Conv9d'}],
    'surrogate': ['ATan', {'type': 'Tanh'}, {'alpha': 1.0}, {'type': 'ATan', 'a': 1}],
    'out_indices': [(), (99,), (-1,), (1.0,), (True,), (1, 0), (1, 1), 1, '1'],
    'frozen_stages': [-2, 99, True],
    'stem': ['resnet', 7, None, {'kernel_size': 3}, {'type': 'IF'}],
    'family': ['sew-add', None, 18],
    'v_reset': ['0', False, float('nan'), float('-inf'), 1.0],
    'v_threshold': [0, -1.0, None],
    'strides': [2, '1222', (1, 2, 2), (1, 2, 0, 2), (1, 2, 2.0, 2)],
    'widths': [(), 32, (0,)],
    'num_blocks': [0],
    'growth_rate': [0, 4.5],
    'depth': [20, '18'],
    'tau': [0.99, float('inf')],
    'init_tau': [1.0, 0.5],
    'max_value': [0],
    'decay': [-0.1, 1.5],
    'gate_threshold': [0, 1.01],
    'channel_reduction': [0, 33],
    'temporal_reduction': [0, 5],
    'sca_kernel_size': [0],
    'num_convs': [0],
    'stride': [0],
}


def parts() -> Iterator[tuple[str, dict[str, Any]]]:
    """Return every part with arguments that are right."""
    for name in NEURONS:
        yield name, dict(num_steps=4)
    for name in STEMS:
        yield name, dict(in_channels=3, out_channels=4, layers=layers(8))
    for name in DECODERS:
        yield name, dict(channels=16, num_steps=4)
    for name in BACKBONES:
        yield name, backbone_arguments(name)


def mistakes() -> Iterator[tuple[str, dict[str, Any], str, Any, Any]]:
    for name, given in parts():
        parameters = inspect.signature(MODELS.get(name)).parameters
        for argument, parameter in parameters.items():
            either = (TypeError, ValueError)
            wrong = [(value, either) for value in OTHERS.get(argument, [])]
            if name in BACKBONES or argument not in SET_BY_THE_NETWORK:
                kinds = either if argument in OTHERS else None
                wrong += [
                    (value, kinds or error)
                    for value, error in WRONG.get(parameter.annotation, [])
                ]
                if argument in SIZES and parameter.annotation is int:
                    wrong += [(0, ValueError), (-4, ValueError)]
            for value, error in wrong:
                yield name, given, argument, value, error


def name_of(value: Any) -> str | None:
    return str(value) if isinstance(value, str | type | float | int | tuple) else None


@pytest.mark.parametrize(
    ('name', 'given', 'argument', 'value', 'error'), [*mistakes()], ids=name_of
)
def test_wrong_values(name, given, argument, value, error) -> None:
    """The message names the argument, and the value where it is not a config."""
    shown = '' if isinstance(value, dict | tuple) else re.escape(str(value))
    message = f'(?s){argument}.*{shown}|{shown}.*{argument}'
    with torch.device('meta'), pytest.raises(error, match=message):
        MODELS.get(name)(**{**given, argument: value})


@pytest.mark.parametrize(('name', 'given'), [*parts()])
def test_right_and_unknown_arguments(name, given) -> None:
    MODELS.get(name)(**given)
    with pytest.raises(TypeError, match="unexpected keyword argument 'num_step'"):
        MODELS.get(name)(**given, num_step=2)


@pytest.mark.parametrize('name', SURROGATES.module_dict)
@pytest.mark.parametrize('alpha', [0, -1.0, float('nan'), True, '2'])
def test_sharpness_of_surrogates(name: str, alpha: Any) -> None:
    with pytest.raises((TypeError, ValueError), match=f'{name} alpha must .*{alpha}'):
        build_surrogate({'type': name, 'alpha': alpha})


MERGES = {row.merge for row in FAMILIES.values() if row.merge}


@pytest.mark.parametrize('merge', sorted(MERGES, key=lambda m: m.__name__))
def test_merges(merge: type[Merge]) -> None:
    for channels in (0, 4.0):
        with pytest.raises(
            (TypeError, ValueError), match=f'channels must .*{channels}'
        ):
            merge(channels)


@pytest.mark.parametrize(
    ('argument', 'value'),
    [
        ('merge', 'AddMerge'),
        ('merge', AddMerge(1)),
        ('merge_options', 3),
        ('densely_additive', 1),
        ('threshold_norm', None),
        ('path_alpha', 0),
        *(('unit', order) for order in ('', 'NS', 'cns', 'CC', 'CNX', 3)),
        *(('last_unit', order) for order in ('S', 'CNSN')),
        *(('projection', order) for order in ('NS', 'C N')),
        *(('identity', order) for order in ('C', 'NN')),
        *(('post', order) for order in ('CN', ' ')),
    ],
)
def test_rows_of_families(argument: str, value: Any) -> None:
    names = f'{argument}|order' if isinstance(value, str | int) else argument
    with pytest.raises((TypeError, ValueError), match=f'({names}) must .*but got'):
        Wiring(**{'merge': AddMerge, 'citation': 'a test', argument: value})


@pytest.mark.parametrize(
    ('name', 'arguments', 'message'),
    [
        ('SpikingResNet', dict(connect='origin'), 'connect .*Origin, tdBN, BAA'),
        ('SEWResNet', dict(connect='OR'), 'connect .*ADD, AND, IAND'),
        ('SGResNet', dict(gate='bgs'), 'gate .*BSG'),
        ('DANet', dict(variant='E'), 'variant .*A, B, C, D.*E'),
        ('DANet', dict(variant=None), 'variant .*A, B, C, D.*None'),
        ('DANet', dict(family='plain'), "multiple values for argument 'family'"),
        ('ResNetSNN', dict(family='plain', zero_init_residual=True), 'shortcuts'),
        ('SevenBNet', dict(family='plain', zero_init_residual=True), 'shortcuts'),
        (
            'ResNetSNN',
            dict(family='tdBN', norm_cfg=dict(type='BN', affine=False)),
            'a weight and a bias',
        ),
        ('ResNetSNN', dict(out_indices=(1,), frozen_stages=3), 'frozen_stages .*-1 to'),
        ('SevenBNet', dict(out_indices=(2,), frozen_stages=4), 'frozen_stages .*-1 to'),
        ('MSResNet', dict(dropout=1.0), r'dropout .*\[0, 1\).*1.0'),
        ('MSResNet', dict(dropout=-0.1), r'dropout .*\[0, 1\).*-0.1'),
        (
            'MSResNet',
            dict(dropout=0.2),
            r'dropout .*must include 3, .*\(0, 1\)',
        ),
        ('MSResNet', dict(layout='mnist'), 'layout .*imagenet, cifar'),
        ('MSResNet', dict(layout='cifar'), 'layout.*18.*10'),
        ('EMSResNet', dict(avg_down=True), 'avg_down must be False .* got True'),
        ('PooledResNet', dict(widths=(4,)), 'out_indices .*0 to 0'),
        ('DenseNetSNN', dict(order='SCN'), 'order .*CNS, NSC.*SCN'),
        ('LatencyStem', dict(layers=layers(1)), 'at least 2 time steps.*num_steps=1'),
        ('PhaseStem', dict(layers=layers(12)), 'period of 8, .*num_steps=12'),
        ('PhaseStem', dict(period=9), 'period .*at most 8.*9'),
        ('RateStem', dict(seed=0.5), 'seed .*integer or None.*0.5'),
        ('RateStem', dict(seed=-1), 'seed .*-1'),
        ('RateStem', dict(mean=[0.0]), 'mean .*3 entries'),
        ('RateStem', dict(mean=127.5), 'mean .*sequence.*127.5'),
        ('RateStem', dict(std='abc'), 'std .*sequence'),
        ('RateStem', dict(std=[1, 1, '1']), 'std .*number'),
        ('RateStem', dict(std=[1, 0, 1]), 'std .*positive'),
        ('GatedAttentionStem', dict(layers=layers(1)), 'at least 2 .*num_steps=1'),
        (
            'GatedAttentionStem',
            dict(temporal=False, spatial_channel=False),
            'both are False',
        ),
        ('ASD', dict(kernel_size=4), 'kernel_size .*odd.*4'),
    ],
    ids=name_of,
)
def test_combinations(name: str, arguments: dict[str, Any], message: str) -> None:
    """Values that are wrong together, or that an annotation does not show."""
    with pytest.raises((TypeError, ValueError), match=message):
        MODELS.get(name)(**{**dict(parts())[name], **arguments})


@pytest.mark.parametrize(
    ('arguments', 'message'),
    [
        (dict(in_channels=64), 'in_channels .*sequence.*64'),
        (dict(in_channels='64'), 'in_channels .*sequence'),
        (dict(in_channels=()), 'in_channels .*at least one'),
        (dict(in_channels=(64, 0)), 'in_channels .*at least 1'),
        (dict(in_channels=(64.0,)), 'in_channels .*integer'),
        (dict(num_steps=0), 'num_steps .*0'),
        (dict(num_steps='4'), "num_steps .*'4'"),
        (dict(decoder='ASD'), 'decoder .*dict with a type'),
        (dict(decoder=dict(type='Attention')), 'Rate, ASD.*Attention'),
        (dict(decoder=dict(type='ASD', num_steps=4)), 'num_steps: the network'),
    ],
)
def test_the_neck(arguments: dict[str, Any], message: str) -> None:
    with pytest.raises((TypeError, ValueError), match=message):
        SpikeDecoder(**{'in_channels': (16, 32), 'num_steps': 4, **arguments})
