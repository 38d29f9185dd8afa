"""What every registered stem keeps to."""

import inspect

import pytest
import torch
from torch import Tensor

from mmsnn.models.build import known_parts
from mmsnn.models.layers import LayerFactory
from mmsnn.models.stems import BaseStem, build_stem
from mmsnn.models.stems.base import StemOptions
from mmsnn.models.stems.pixel_coding import CodedStem
from mmsnn.registry import MODELS

STEMS = known_parts(BaseStem)
LAYERS = LayerFactory(8, {'type': 'IF'}, {'type': 'BN'})


@pytest.mark.parametrize('name', STEMS)
@pytest.mark.parametrize('frames', [False, True])
def test_neurons_are_fed_with_steps_of_images(name: str, frames: bool) -> None:
    stem = build_stem(dict(type=name, kernel_size=3), 3, 4, LAYERS)
    shapes = []

    def see(module: torch.nn.Module, args: tuple[Tensor], spikes: Tensor) -> None:
        shapes.append((args[0].shape, spikes.shape))

    stem.neuron.register_forward_hook(see)
    image = torch.rand(2, *([8] if frames else []), 3, 12, 10) * 255
    if frames and isinstance(stem, CodedStem):
        with pytest.raises(ValueError, match='codes images of shape'):
            stem(image / 255)
        return
    out = stem(image / 255)
    assert shapes == [((8, 2, 4, 6, 5),) * 2]
    assert out.shape[:2] == (8 * 2, 4)


@pytest.mark.parametrize('name', STEMS)
def test_the_signature_shows_what_all_stems_take(name: str) -> None:
    parameters = inspect.signature(MODELS.get(name)).parameters
    assert StemOptions.__annotations__.keys() <= parameters.keys()
    assert 'options' not in parameters
    with pytest.raises(TypeError, match="unexpected keyword argument 'kernel'"):
        build_stem(dict(type=name, kernel=3), 3, 4, LAYERS)
