"""Measure neurons and gates, forward and in a training step, against a ReLU.

mmsnn's neurons and gates are measured with its C++ kernels and with PyTorch operations
only, and SpikingJelly's multi-step IF neuron as shipped, on a feature map of ResNet18's
second stage.

Usage:
    python benchmarks/kernels.py [--pairs 60] [--images 4] [--size 28]
        [--channels 128] [--steps 4] [--threads 2] [--json FILE]
"""

from collections.abc import Callable

import _pairs

EAGER = ', without kernels'
FORWARD, STEP = ', inference', ', training'


def main() -> None:
    """Measure, print and save."""
    args = _pairs.parse_args(
        'Measure neurons and gates',
        pairs=60,
        images=(4, 'batch size N'),
        size=(28, 'height and width of the feature map'),
        channels=(128, 'channels of the feature map'),
        steps=(4, 'time steps T'),
    )
    import _networks as nets
    import torch
    from spikingjelly.activation_based import neuron, surrogate
    from torch import Tensor, nn

    from mmsnn.models.neurons import build_neuron
    from mmsnn.models.residual import GateMerge

    shape = (args.steps * args.images, args.channels, args.size, args.size)
    x, other = (
        torch.randn(shape).contiguous(memory_format=torch.channels_last)
        for _ in range(2)
    )
    spikes, shortcut = (x > 0.5).float(), (other > 0.5).float()
    jelly = neuron.IFNode(
        surrogate_function=surrogate.ATan(), detach_reset=True, step_mode='m'
    )

    def run_jelly(inputs: Tensor) -> Tensor:
        jelly.reset()
        return jelly(inputs.unflatten(0, (args.steps, -1)))

    gate = GateMerge(args.channels)
    functions: dict[str, tuple[Callable[..., Tensor], tuple[Tensor, ...]]] = {
        'ReLU': (nn.ReLU(), (x,)),
        'IF, mmsnn': (build_neuron(dict(type='IF'), args.steps), (x,)),
        'LIF, mmsnn': (build_neuron(dict(type='LIF'), args.steps), (x,)),
        'IF, SpikingJelly': (run_jelly, (x,)),
        'addition': (torch.add, (spikes, shortcut)),
        'BSG, mmsnn': (gate, (spikes, shortcut)),
    }
    cases: dict[str, Callable[[], object]] = {}
    for name, (function, inputs) in functions.items():
        cases[name + FORWARD] = forward(function, inputs)
        cases[name + STEP] = step(function, inputs)
        if 'mmsnn' in name:
            for kind in (FORWARD, STEP):
                cases[name + EAGER + kind] = nets.without_kernels(cases[name + kind])
    times = _pairs.take_turns(cases, args.pairs)
    pairs = [
        (name, ('addition' if 'BSG' in name else 'ReLU') + kind)
        for name in cases
        for kind in (FORWARD, STEP)
        if name.endswith(kind) and name.split(',')[0] not in ('ReLU', 'addition')
    ]
    _pairs.save(args, times, pairs)


def forward(function: Callable, inputs: tuple) -> Callable[[], object]:
    """Return a function that calls another one without autograd."""
    import torch

    def call() -> object:
        with torch.no_grad():
            return function(*inputs)

    return call


def step(function: Callable, inputs: tuple) -> Callable[[], object]:
    """Return a function that runs another one forward and backward."""
    import torch

    leaves = [tensor.clone().requires_grad_() for tensor in inputs]
    gradient = torch.ones_like(inputs[0])

    def call() -> object:
        output = function(*leaves)
        return torch.autograd.grad(output, leaves, gradient.view_as(output))

    return call


if __name__ == '__main__':
    _pairs.run(main)
