"""Cases of benchmarks/gpu.py: implementations of neurons, the gate and ResNet18."""

import math
from argparse import Namespace
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from mmsnn import ops
from mmsnn.ops.dynamics import Dynamics, SurrogateKind, surrogate_slope

FEATURE_MAP = (128, 28, 28)
"""Channels, height and width at ResNet18's second stage, for images of 224 x 224."""

DECAY = 0.5
MMSNN = 'mmsnn, SG ResNet18'
TORCHVISION = 'torchvision, ResNet18'
SPIKINGJELLY = 'SpikingJelly, sew_resnet18'
COMPILED = ', torch.compile'
COMPARED = {
    MMSNN: (TORCHVISION, SPIKINGJELLY),
    MMSNN + COMPILED: (MMSNN, TORCHVISION + COMPILED),
}
PRECISIONS = ('fp32', 'bf16')
CALLS = 20
"""Calls of a neuron per measurement, enough to keep the device busy."""

Function = Callable[..., Tensor]


@dataclass
class Section:
    """Cases that take turns.

    Args:
        cases: Functions that are measured, by name.
        pairs: Which case is compared with which.
        calls: How often a case is called before waiting for the device.
    """

    cases: dict[str, Callable[[], object]] = field(default_factory=dict)
    pairs: list[tuple[str, str]] = field(default_factory=list)
    calls: int = 1

    def compare(self, case: str, bases: Sequence[str]) -> None:
        """Compare a case with those of ``bases`` that exist."""
        self.pairs += [(case, base) for base in bases if base in self.cases]


class ArcTangent:
    """The surrogate of the SG ResNet paper, available in all implementations."""

    kind = SurrogateKind.ATAN
    alpha = 2.0

    def derivative(self, x: Tensor) -> Tensor:
        """Return the derivative at the distance ``x`` to the threshold."""
        return surrogate_slope(self.kind, self.alpha, x)


class Step(torch.autograd.Function):
    """The Heaviside step with this surrogate, for a loop over time in PyTorch."""

    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        """Return 1 where a neuron fires, else 0."""
        ctx.save_for_backward(x)
        return (x >= 0).to(x.dtype)

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> Tensor:
        """Return the gradient with respect to the potential."""
        (x,) = ctx.saved_tensors
        return grad / (1 + (math.pi * x) ** 2)


def loop(x_seq: Tensor, decay: Tensor | float | None) -> Tensor:
    """Return the spikes of IF or LIF neurons from a loop over time, with autograd."""
    v = torch.zeros_like(x_seq[0])
    spikes = []
    for x in x_seq.unbind(0):
        h = v + x if decay is None else v + (x - v) * decay
        spikes.append(Step.apply(h - 1.0))
        v = h * (1 - spikes[-1].detach())
    return torch.stack(spikes)


def fused_by_spikingjelly(decay: float | None) -> Function:
    """Return SpikingJelly's fused neuron as a function of the currents.

    Raises:
        ImportError: If SpikingJelly is not installed.
    """
    from spikingjelly.activation_based import functional, surrogate

    settings = dict(
        v_threshold=1.0,
        v_reset=0.0,
        surrogate_function=surrogate.ATan(alpha=2.0),
        detach_reset=True,
    )

    def run(x_seq: Tensor) -> Tensor:
        v = torch.zeros_like(x_seq[0])
        if decay is None:
            return functional.if_multi_step(x_seq, v, **settings)[0]
        return functional.lif_multi_step(x_seq, v, tau=1 / decay, **settings)[0]

    return run


def try_all(
    builders: Mapping[str, Callable[[], Any]], left_out: dict[str, str]
) -> dict[str, Any]:
    """Build the cases whose packages are installed.

    Args:
        builders: Functions that build a case, by name.
        left_out: Filled with the import errors of the other cases, by name.
    """
    built = {}
    for name, build in builders.items():
        try:
            built[name] = build()
        except ImportError as error:
            left_out[name] = str(error)
    return built


def implementations(
    decay: Tensor | float | None,
) -> dict[str, Callable[[], Function]]:
    """Return the builders of a neuron by implementation."""
    dynamics = Dynamics(1.0, 0.0, True, ArcTangent())
    builders: dict[str, Callable[[], Function]] = {
        'mmsnn': lambda: partial(ops.multi_step, decay=decay, dynamics=dynamics),
        'PyTorch': lambda: partial(loop, decay=decay),
        'torch.compile': lambda: partial(torch.compile(loop), decay=decay),
    }
    if not isinstance(decay, Tensor):  # SpikingJelly does not fuse learned decays
        builders['SpikingJelly'] = lambda: fused_by_spikingjelly(decay)
    return builders


def neurons(args: Namespace, left_out: dict[str, str]) -> Section:
    """Return the cases of single neurons and of the gate, in fp32."""
    section = Section(calls=CALLS)
    x = torch.randn(args.steps, args.images, *FEATURE_MAP, device='cuda')
    _add(section, 'ReLU', torch.relu, (x,))
    learned = torch.tensor(DECAY, device='cuda', requires_grad=True)
    decays = {'IF': None, 'LIF': DECAY, 'PLIF': learned}
    for name, decay in decays.items():
        builders = {
            f'{name}, {by}': build for by, build in implementations(decay).items()
        }
        for case, function in try_all(builders, left_out).items():
            _add(section, case, function, (x,))

    def gate(h: Tensor, x: Tensor) -> Tensor:
        return h * h + (1 - h) * x

    spikes = (x > 0.5).float(), (x < -0.5).float()
    _add(section, 'gate, mmsnn', ops.gate, spikes)
    _add(section, 'gate, PyTorch', gate, spikes)
    _add(section, 'gate, torch.compile', torch.compile(gate), spikes)
    for name in (*decays, 'gate'):
        for kind in ('inference', 'training'):
            others = [
                f'{name}, {by}, {kind}'
                for by in ('PyTorch', 'torch.compile', 'SpikingJelly')
            ]
            section.compare(f'{name}, mmsnn, {kind}', [*others, f'ReLU, {kind}'])
    return section


def _add(
    section: Section, name: str, function: Function, inputs: tuple[Tensor, ...]
) -> None:
    leaves = [x.clone().requires_grad_() for x in inputs]
    grad = torch.randn_like(function(*leaves))

    def infer() -> None:
        with torch.no_grad():
            function(*inputs)

    def train() -> None:
        for leaf in leaves:
            leaf.grad = None
        function(*leaves).backward(grad)

    section.cases[f'{name}, inference'] = infer
    section.cases[f'{name}, training'] = train


@dataclass
class Network:
    """A classifier and its input images, on the device."""

    net: nn.Module
    images: Tensor

    def infer(self, bf16: bool) -> None:
        """Run forward."""
        with torch.no_grad(), _autocast(bf16):
            self.net(self.images)

    def train(self, bf16: bool) -> None:
        """Run forward and backward, with the cross entropy of one class for all."""
        self.net.zero_grad(set_to_none=True)
        labels = torch.zeros(len(self.images), dtype=torch.long, device='cuda')
        with _autocast(bf16):
            loss = nn.functional.cross_entropy(self.net(self.images), labels)
        loss.backward()

    def peak_mib(self, bf16: bool) -> float:
        """Return the peak memory of a training step without weights and images."""
        self.net.zero_grad(set_to_none=True)
        torch.cuda.synchronize()
        torch.cuda.reset_peak_memory_stats()
        before = torch.cuda.memory_allocated()
        self.train(bf16)
        torch.cuda.synchronize()
        return (torch.cuda.max_memory_allocated() - before) / 2**20


def _autocast(bf16: bool) -> Any:
    return torch.autocast('cuda', torch.bfloat16, enabled=bf16)


def networks(args: Namespace, left_out: dict[str, str]) -> dict[str, Network]:
    """Return ResNet18 classifiers by name, channels-last except for SpikingJelly's.

    torchvision's gets T times as many images, the lower bound of the cost of T steps.
    """

    def make(number: int, build: Callable[[Any], nn.Module]) -> Network:
        import _networks

        images = _networks.make_images(number, args.size).cuda()
        return Network(_networks.calibrate(build(_networks).cuda(), images), images)

    def spiking() -> Network:
        return make(args.images, lambda nets: nets.make_spiking(args.steps))

    def ann() -> Network:
        return make(args.steps * args.images, lambda nets: nets.make_ann())

    def jelly() -> Network:
        made = make(args.images, lambda nets: nets.SpikingJellyClassifier(args.steps))
        return Network(made.net, made.images.contiguous())

    def compiled(network: Network) -> Network:
        net: Any = torch.compile(network.net)
        return Network(net, network.images)

    builders: dict[str, Callable[[], Network]] = {
        MMSNN: spiking,
        MMSNN + COMPILED: lambda: compiled(spiking()),
        TORCHVISION: ann,
        TORCHVISION + COMPILED: lambda: compiled(ann()),
        SPIKINGJELLY: jelly,
    }
    return try_all(builders, left_out)


def network_section(
    found: Mapping[str, Network], run: Callable[[Network, bool], None]
) -> Section:
    """Return the cases of all networks, in fp32 and in bf16 with autocast.

    Args:
        found: Networks by name, in the mode in which they are measured.
        run: ``Network.infer`` or ``Network.train``.
    """
    section = Section()
    for precision in PRECISIONS:
        for name, network in found.items():
            case = partial(run, network, precision == 'bf16')
            section.cases[f'{name}, {precision}'] = case
        for name, bases in COMPARED.items():
            if name in found:
                others = [f'{base}, {precision}' for base in bases]
                section.compare(f'{name}, {precision}', others)
    return section
