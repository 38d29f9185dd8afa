"""Measure a training step against torchvision's ResNet18 and SpikingJelly's network.

A step is a forward pass, the cross entropy and a backward pass. torchvision's network
gets a batch of T times as many images, in channels-last.

Usage:
    python benchmarks/training.py [--pairs 20] [--images 4] [--size 128]
        [--steps 4] [--threads 2] [--json FILE]
"""

from functools import partial

import _pairs

EAGER = ', without kernels'


def main() -> None:
    """Measure, print and save."""
    args = _pairs.parse_args(
        'Measure training steps',
        pairs=20,
        images=(4, 'batch size N'),
        size=(128, 'height and width of the images'),
        steps=(4, 'time steps T'),
    )
    import _networks as nets

    images = nets.make_images(args.images, args.size)
    repeated = nets.make_images(args.steps * args.images, args.size)

    cases: dict[str, _pairs.Case] = {
        nets.MMSNN: partial(nets.train_step, nets.make_spiking(args.steps), images),
        nets.TORCHVISION: partial(nets.train_step, nets.make_ann(), repeated),
        nets.SPIKINGJELLY: partial(
            nets.train_step,
            nets.SpikingJellyClassifier(args.steps),
            images.contiguous(),
        ),
    }
    cases[nets.MMSNN + EAGER] = nets.without_kernels(cases[nets.MMSNN])
    times = _pairs.take_turns(cases, args.pairs)
    pairs = [(nets.MMSNN, base) for base in list(cases)[1:]]
    _pairs.save(args, times, pairs)


if __name__ == '__main__':
    _pairs.run(main)
