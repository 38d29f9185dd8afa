"""Memory traffic, by hand."""

import torch

from mmsnn.analysis import estimate_memory

from .nets import TwoLayers, count


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
