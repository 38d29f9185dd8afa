"""Count the bytes held after a training forward pass, and time memory_efficient.

The bytes of the tensors saved for the backward pass are counted, each storage once,
without parameters and buffers. The number is exact and independent of the allocator.
mmsnn's ``memory_efficient`` recomputes block by block; a step is timed with and without
it.

Usage:
    python benchmarks/memory.py [--pairs 15] [--images 4] [--size 128]
        [--steps 4] [--threads 2] [--json FILE]
"""

from functools import partial
from itertools import chain

import _pairs

EFFICIENT = ', memory_efficient'


def main() -> None:
    """Count, measure, print and save."""
    args = _pairs.parse_args(
        'Count what is held for the backward pass',
        pairs=15,
        images=(4, 'batch size N'),
        size=(128, 'height and width of the images'),
        steps=(4, 'time steps T'),
    )
    import _networks as nets
    from _held import held_bytes

    images = nets.make_images(args.images, args.size)
    repeated = nets.make_images(args.steps * args.images, args.size)
    candidates = {
        nets.MMSNN: (nets.make_spiking(args.steps), images),
        nets.TORCHVISION: (nets.make_ann(), repeated),
        nets.SPIKINGJELLY: (
            nets.SpikingJellyClassifier(args.steps),
            images.contiguous(),
        ),
        nets.MMSNN + EFFICIENT: (nets.make_spiking(args.steps, True), images),
    }
    held, whole = {}, {}
    for name, (net, x) in candidates.items():
        forward = partial(net.train(), x)
        known = chain(net.parameters(), net.buffers())
        held[name], whole[name] = held_bytes(forward, known), held_bytes(forward)
    for name, number in held.items():
        print(
            f'{name} holds {number / 2**20:.1f} MiB, '
            f'{whole[name] / 2**20:.1f} MiB with parameters'
        )

    cases = {
        name: partial(nets.train_step, net, x)
        for name, (net, x) in candidates.items()
        if name.startswith(nets.MMSNN)
    }
    times = _pairs.take_turns(cases, args.pairs)
    pairs = [(nets.MMSNN + EFFICIENT, nets.MMSNN)]
    _pairs.save(args, times, pairs, held_bytes=held, with_parameters_bytes=whole)


if __name__ == '__main__':
    _pairs.run(main)
