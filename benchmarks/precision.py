"""Measure inference with bf16 autocast, as a whole bf16 network, and with int8 weights.

The baseline is fp32. All cases use mmsnn's SG ResNet18, with its norms folded into
convolutions and, except for int8, also not folded.

Usage:
    python benchmarks/precision.py [--pairs 40] [--images 1] [--size 224]
        [--steps 4] [--threads 2] [--json FILE]
"""

import copy
from functools import partial

import _pairs

FP32 = 'fp32'
AUTOCAST = 'bf16, autocast'
WHOLE = 'bf16, whole network'
INT8 = 'int8 weights'
UNFOLDED = ', norms not folded'


def main() -> None:
    """Measure, print and save."""
    args = _pairs.parse_args(
        'Measure inference in bf16 and int8',
        pairs=40,
        images=(1, 'batch size N'),
        size=(224, 'height and width of the images'),
        steps=(4, 'time steps T'),
    )
    import _networks as nets
    import torch
    from torch import Tensor, nn

    from mmsnn.deploy import fold_norms, quantize_int8

    images = nets.make_images(args.images, args.size)
    noise = nets.make_images(max(4, args.images), args.size)

    def autocast(net: nn.Module, x: Tensor) -> Tensor:
        with torch.autocast('cpu', torch.bfloat16):
            return net(x)

    cases: dict[str, _pairs.Case] = {}
    plain = nets.calibrate(nets.make_spiking(args.steps), noise)
    for suffix in ('', UNFOLDED):
        net = plain if suffix else fold_norms(plain)
        half = copy.deepcopy(net).bfloat16()
        cases[FP32 + suffix] = partial(net, images)
        cases[AUTOCAST + suffix] = partial(autocast, net, images)
        cases[WHOLE + suffix] = partial(half, images.bfloat16())
    cases[INT8] = partial(quantize_int8(fold_norms(plain))[0], images)
    with torch.no_grad():
        times = _pairs.take_turns(cases, args.pairs)
    pairs = [
        (kind + suffix, FP32 + suffix)
        for suffix in ('', UNFOLDED)
        for kind in (AUTOCAST, WHOLE)
    ]
    pairs += [(INT8, FP32), (INT8, WHOLE)]
    _pairs.save(args, times, pairs)


if __name__ == '__main__':
    _pairs.run(main)
