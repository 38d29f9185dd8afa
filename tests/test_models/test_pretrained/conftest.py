"""Weights that several tests read."""

import pytest
import torch
from torch import Tensor

from .helpers import resnet


@pytest.fixture(scope='session')
def state18() -> dict[str, Tensor]:
    """The weights of torchvision's ResNet18."""
    torch.manual_seed(0)
    return resnet().state_dict()
