"""The ResNet18 classifiers that the benchmarks compare, and their input.

All have 1000 classes, random weights, and norms with the statistics of noise like the
measured input: otherwise an untrained spiking network would be silent, or would not
fire like a trained one.
"""

from collections.abc import Callable
from unittest import mock

import torch
from mmengine.logging import MMLogger
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from mmsnn.models import Rate, SGResNet
from mmsnn.ops import native

CLASSES = 1000
MMSNN = 'mmsnn, SG ResNet18'
TORCHVISION = 'torchvision, ResNet18'
SPIKINGJELLY = 'SpikingJelly, sew_resnet18'


class SpikingClassifier(nn.Module):
    """A spiking ResNet18 with SG blocks, a rate decoder and a linear classifier.

    Args:
        num_steps: Number of time steps T.
        memory_efficient: Whether training recomputes block by block.
    """

    def __init__(self, num_steps: int, memory_efficient: bool = False) -> None:
        super().__init__()
        if not MMLogger.check_instance_created('benchmarks'):
            # otherwise the initialisation of each parameter is logged
            MMLogger.get_instance('benchmarks', log_level='ERROR')
        self.backbone = SGResNet(
            18, num_steps=num_steps, memory_efficient=memory_efficient
        )
        self.backbone.init_weights()
        self.decoder = Rate(self.backbone.out_channels[-1], num_steps)
        self.fc = nn.Linear(self.backbone.out_channels[-1], CLASSES)

    def forward(self, image: Tensor) -> Tensor:
        """Return logits ``[N, 1000]`` of images ``[N, 3, H, W]``."""
        rates = self.decoder(self.backbone(image)[-1])
        return self.fc(rates.mean((2, 3)))


class SpikingJellyClassifier(nn.Module):
    """SpikingJelly's ``sew_resnet18`` in its multi-step mode, as its users run it.

    Args:
        num_steps: Number of time steps T.
    """

    def __init__(self, num_steps: int) -> None:
        super().__init__()
        from spikingjelly.activation_based import functional, neuron, surrogate
        from spikingjelly.activation_based.model import sew_resnet

        self.num_steps = num_steps
        self.net = sew_resnet.sew_resnet18(
            cnf='ADD',
            spiking_neuron=neuron.IFNode,
            surrogate_function=surrogate.ATan(),
            detach_reset=True,
        )
        functional.set_step_mode(self.net, 'm')
        self.reset = functional.reset_net

    def forward(self, image: Tensor) -> Tensor:
        """Return logits ``[N, 1000]`` of images ``[N, 3, H, W]``."""
        logits = self.net(image.expand(self.num_steps, *image.shape)).mean(0)
        # otherwise its neurons keep their state from one call to the next
        self.reset(self.net)
        return logits


def in_channels_last(net: nn.Module) -> nn.Module:
    """Return the network with its convolutions' weights in channels-last."""
    for parameter in net.parameters():
        if parameter.dim() == 4:
            parameter.data = parameter.data.to(memory_format=torch.channels_last)
    return net


def make_spiking(num_steps: int, memory_efficient: bool = False) -> nn.Module:
    """Return mmsnn's network in channels-last."""
    return in_channels_last(SpikingClassifier(num_steps, memory_efficient))


def make_ann() -> nn.Module:
    """Return torchvision's ResNet18 in channels-last."""
    from torchvision.models import resnet18

    return in_channels_last(resnet18(num_classes=CLASSES))


def make_images(number: int, size: int) -> Tensor:
    """Return noise ``[number, 3, size, size]`` in channels-last."""
    images = torch.randn(number, 3, size, size)
    return images.contiguous(memory_format=torch.channels_last)


@torch.no_grad()
def calibrate(net: nn.Module, images: Tensor) -> nn.Module:
    """Set the norms' running statistics from images; return the network in eval."""
    norms = [m for m in net.modules() if isinstance(m, _BatchNorm)]
    momenta = [norm.momentum for norm in norms]
    for norm in norms:
        norm.momentum = 1.0
    net.train()(images)
    for norm, momentum in zip(norms, momenta, strict=True):
        norm.momentum = momentum
    return net.eval()


def without_kernels(case: Callable[[], object]) -> Callable[[], object]:
    """Return a function that runs a case as with ``MMSNN_KERNELS=0``."""

    def call() -> object:
        with mock.patch.object(native, 'library', return_value=None):
            return case()

    return call


def firing_rates(net: nn.Module, images: Tensor) -> list[float]:
    """Return the firing rate of each layer of mmsnn's neurons, first to last."""
    from mmsnn.models.neurons import BaseNeuron

    rates: list[float] = []
    hooks = [
        module.register_forward_hook(lambda m, i, out: rates.append(float(out.mean())))
        for module in net.modules()
        if isinstance(module, BaseNeuron)
    ]
    with torch.no_grad():
        net(images)
    for hook in hooks:
        hook.remove()
    return rates


def train_step(net: nn.Module, images: Tensor) -> None:
    """Run forward and backward once, with the cross entropy of one class for all."""
    net.zero_grad(set_to_none=True)
    labels = torch.zeros(len(images), dtype=torch.long)
    nn.functional.cross_entropy(net(images), labels).backward()
