"""The arguments that all backbones take: one record, and every signature shows it."""

import inspect
from dataclasses import fields
from typing import Any, get_type_hints

import pytest
import torch

from mmsnn.models.backbones import BackboneOptions, BackboneSettings, SpikingBackbone
from mmsnn.models.build import known_parts
from mmsnn.registry import MODELS

BACKBONES = known_parts(SpikingBackbone)


def needed_by(name: str) -> dict[str, Any]:
    """Return arguments for the parameters of a backbone that have no default."""
    values = {'depth': {'DenseNetSNN': 121, 'VGGSNN': 11}.get(name, 18)}
    values |= {'family': 'SG-BSG', 'channels': (8, 16, 16, 24)}
    parameters = inspect.signature(MODELS.get(name)).parameters.values()
    return {
        parameter.name: values[parameter.name]
        for parameter in parameters
        if parameter.default is inspect.Parameter.empty
    }


def test_the_options_are_the_settings() -> None:
    options = get_type_hints(BackboneOptions)
    assert [*options] == [field.name for field in fields(BackboneSettings)]
    assert options == get_type_hints(BackboneSettings)


@pytest.mark.parametrize('name', BACKBONES)
def test_the_signature_is_what_the_backbone_takes(name: str) -> None:
    """With its defaults and the required arguments alone it makes the same network."""
    backbone = MODELS.get(name)
    given = {
        parameter.name: parameter.default
        for parameter in inspect.signature(backbone).parameters.values()
    }
    assert given.keys() >= {field.name for field in fields(BackboneSettings)}
    needed = needed_by(name)
    if name in ('MSResNet', 'EMSResNet'):  # whose defaults depend on other arguments
        given |= {'stem': 'ms', 'strides': (2, 2, 2, 2)}
        given['zero_init_residual'] = name == 'MSResNet'
    with torch.device('meta'):
        whole, short = backbone(**{**given, **needed}), backbone(**needed)
    shapes = [
        {key: value.shape for key, value in net.state_dict().items()}
        for net in (whole, short)
    ]
    assert shapes[0] == shapes[1]
    assert list(map(type, whole.modules())) == list(map(type, short.modules()))
    assert whole.num_steps == short.num_steps == given['num_steps']
