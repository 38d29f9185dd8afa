"""A ResNet of torchvision's, and the same of ours, layer by layer."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch
import torchvision
from torch import nn


def resnet(depth: int = 18) -> nn.Module:
    """Return torchvision's ResNet, each of whose tensors differs from all others."""
    network = getattr(torchvision.models, f'resnet{depth}')()
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            nn.init.uniform_(module.weight, 0.3, 0.8)
            nn.init.uniform_(module.bias, -0.2, 0.2)
            nn.init.uniform_(module.running_mean, -0.2, 0.2)
            nn.init.uniform_(module.running_var, 0.8, 1.2)
            module.num_batches_tracked.random_(1, 1000)
    return network


def layers_of(
    theirs: nn.Module, ours: nn.Module
) -> Iterator[tuple[nn.Module, nn.Module]]:
    """Yield corresponding layers of torchvision's network and ours."""
    yield theirs.conv1, ours.stem.encode.conv
    yield theirs.bn1, ours.stem.encode.norm
    their_stages = (theirs.layer1, theirs.layer2, theirs.layer3, theirs.layer4)
    for their_stage, our_stage in zip(their_stages, ours.stages, strict=True):
        for block, our_block in zip(their_stage, our_stage, strict=True):
            pairs = [(block.conv1, block.bn1), (block.conv2, block.bn2)]
            if hasattr(block, 'conv3'):
                pairs.append((block.conv3, block.bn3))
            for (conv, norm), unit in zip(pairs, our_block.branch, strict=True):
                yield conv, unit.conv
                yield norm, unit.norm
            if block.downsample is not None:
                yield block.downsample[0], our_block.projection.conv
                yield block.downsample[1], our_block.projection.norm


def assert_filled(theirs: nn.Module, ours: nn.Module) -> None:
    """Assert that our network has each tensor of theirs but the classifier."""
    count = 0
    for their_layer, our_layer in layers_of(theirs, ours):
        wanted = their_layer.state_dict()
        assert wanted.keys() == our_layer.state_dict().keys()
        for name, value in our_layer.state_dict().items():
            assert torch.equal(value, wanted[name])
            count += 1
    assert count == len(theirs.state_dict()) - 2


def write(folder: Path, name: str, content: Any) -> str:
    """Write a text or a checkpoint; return its path."""
    path = folder / name
    if isinstance(content, str):
        path.write_text(content)
    else:
        torch.save(content, path)
    return str(path)
