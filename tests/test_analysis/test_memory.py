"""Memory traffic, by hand."""

import torch

from mmsnn.analysis import estimate_memory
from mmsnn.models.neurons import ILIF

from .nets import Holder, TwoLayers, count


def test_two_layers_by_hand() -> None:
    """Weights once a step, spikes as bits, potentials read and written."""
    operations = count(TwoLayers(), torch.rand(3, 1, 4, 4))
    first, second, neuron = estimate_memory(operations).layers
    assert (first.weights_bytes, first.inputs_bytes, first.outputs_bytes) == (4, 64, 64)
    assert second.weights_bytes == 2 * 18 * 4
    assert second.inputs_bytes == 2 * 16 / 8
    assert second.outputs_bytes == 2 * 2 * 16 * 4
    assert (neuron.inputs_bytes, neuron.outputs_bytes) == (128, 4)
    assert neuron.potentials_bytes == 2 * 128
    total = estimate_memory(operations).total.total_bytes
    assert total == 4 + 64 + 64 + 144 + 4 + 256 + 128 + 4 + 256
    assert estimate_memory(operations).energy_pj('sram-8kB') == 1.25 * total
    halved = estimate_memory(operations, word_bits=16).total.total_bytes
    assert halved == (total - 8) / 2 + 8


def test_integers_take_as_many_bits_as_the_largest() -> None:
    operations = count(Holder(ILIF(2, max_value=4)), torch.rand(2, 1, 4, 4))
    (neuron,) = estimate_memory(operations).layers
    assert neuron.outputs_bytes == 16 * 3 / 8
