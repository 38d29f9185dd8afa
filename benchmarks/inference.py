"""Measure inference against torchvision's ResNet18 and SpikingJelly's sew_resnet18.

torchvision's network gets a batch of T times as many images, in channels-last, which is
the lower bound of the cost of T steps. Both are measured with their norms not folded
and folded into convolutions; SpikingJelly's network is used as shipped.

Usage:
    python benchmarks/inference.py [--pairs 40] [--images 1] [--size 224]
        [--steps 4] [--threads 2] [--json FILE]
"""

from functools import partial

import _pairs

FOLDED = ', folded'
EAGER = ', without kernels'


def main() -> None:
    """Measure, print and save."""
    args = _pairs.parse_args(
        'Measure inference',
        pairs=40,
        images=(1, 'batch size N'),
        size=(224, 'height and width of the images'),
        steps=(4, 'time steps T'),
    )
    import _networks as nets
    import torch
    from torch import Tensor, nn

    from mmsnn.deploy import fold_norms

    images = nets.make_images(args.images, args.size)
    repeated = nets.make_images(args.steps * args.images, args.size)
    noise = nets.make_images(max(4, args.images), args.size)
    candidates: dict[str, tuple[nn.Module, Tensor]] = {}
    for suffix in ('', FOLDED):
        snn = nets.calibrate(nets.make_spiking(args.steps), noise)
        ann = nets.calibrate(nets.make_ann(), noise)
        if not suffix:
            rates = nets.firing_rates(snn, images)
        else:
            snn, ann = fold_norms(snn), fold_norms(ann)
        candidates[nets.MMSNN + suffix] = (snn, images)
        candidates[nets.TORCHVISION + suffix] = (ann, repeated)
    jelly = nets.calibrate(nets.SpikingJellyClassifier(args.steps), noise)
    candidates[nets.SPIKINGJELLY] = (jelly, images.contiguous())

    cases: dict[str, _pairs.Case] = {
        name: partial(net, x) for name, (net, x) in candidates.items()
    }
    for suffix in ('', FOLDED):
        name = nets.MMSNN + suffix
        cases[name + EAGER] = nets.without_kernels(cases[name])
    with torch.no_grad():
        times = _pairs.take_turns(cases, args.pairs)
    pairs = []
    for suffix in ('', FOLDED):
        name = nets.MMSNN + suffix
        pairs += [(name, nets.TORCHVISION + suffix), (name, nets.SPIKINGJELLY)]
        pairs += [(name, name + EAGER)]
    _pairs.save(args, times, pairs, firing_rates=rates)


if __name__ == '__main__':
    _pairs.run(main)
