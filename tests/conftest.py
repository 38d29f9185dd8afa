"""What every test gets: a seed, one thread, quiet initialisation, its own scopes."""

import gc
import random
from collections.abc import Iterator

import mmsnn  # noqa: F401

# isort: split
# mmsnn first: its thread policy must be set before torch is loaded
import numpy as np
import pytest
import torch
from mmengine.logging import MMLogger
from mmengine.registry import DefaultScope


@pytest.fixture(scope='session', autouse=True)
def _whole_process() -> None:
    # MMEngine collects garbage for each data set. The modules' 400,000 objects, which
    # are none, make that half a second.
    gc.collect()
    gc.freeze()
    # The tests' tensors are small: more threads wait for each other, for seconds if
    # another program runs on the machine.
    torch.set_num_threads(1)
    # MMEngine's init_weights logs a paragraph for each parameter.
    MMLogger.get_current_instance().setLevel('WARNING')


@pytest.fixture(autouse=True)
def seed() -> int:
    """Seed all generators; return the seed."""
    value = 0
    random.seed(value)
    np.random.seed(value)
    torch.manual_seed(value)
    return value


@pytest.fixture(autouse=True)
def _scope() -> Iterator[None]:
    """Take back the default scopes that a test leaves behind, by a Runner for one."""
    before = dict(DefaultScope._instance_dict)
    yield
    DefaultScope._instance_dict.clear()
    DefaultScope._instance_dict.update(before)
