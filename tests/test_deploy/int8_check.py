"""The check of a network with int8 weights, which tests of its parts share."""

import copy

import torch
from torch import Tensor, nn

from mmsnn.deploy.int8 import Int8Report, quantize_int8


@torch.no_grad()
def check_int8(
    folded: nn.Module, image: Tensor, differing: float = 0.01
) -> tuple[Int8Report, list[Tensor]]:
    """Compare a quantised network with its weights in a network of fp32.

    Args:
        folded: The network, with folded norms.
        image: Its input.
        differing: The share of the outputs from which on the check fails: sums are in
            another order, so a potential may meet its threshold in one of the two.

    Returns:
        The report, and the outputs.
    """
    quantized, report = quantize_int8(folded)
    rounded = copy.deepcopy(folded)
    for name in report.converted:
        weight = quantized.get_submodule(name).dequantized()
        rounded.get_submodule(name).weight.copy_(weight)
    outs, expected, before = quantized(image), rounded(image), folded(image)
    assert any(not torch.equal(a, b) for a, b in zip(outs, before, strict=True))
    for out, other in zip(outs, expected, strict=True):
        assert out.dtype == torch.float32
        assert out.shape == other.shape
        assert out.any()
        assert (out != other).float().mean() < differing
    return report, list(outs)
