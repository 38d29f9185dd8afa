"""What every test gets: a seed, one thread, quiet initialisation, its own scopes."""

import gc
import os
import random
from collections.abc import Iterator

# Also in the processes that tests start: two of them run side by side.
os.environ.setdefault('OMP_NUM_THREADS', '1')

# First, because its thread policy must be set before torch is loaded.
import mmsnn  # noqa: F401

# isort: split
import numpy as np
import pytest
import torch
from mmengine.logging import MMLogger
from mmengine_instances import instances, restore, separate_run
from yapf.yapflib import yapf_api

# Without a GPU, torch.manual_seed formats a stack trace each time, for later.
_seed_torch = (
    torch.manual_seed
    if torch.cuda.is_available()
    else torch.default_generator.manual_seed
)


@pytest.fixture(scope='session', autouse=True)
def _whole_process() -> None:
    # The tests' tensors are small: more threads wait for each other, for seconds if
    # another program runs on the machine.
    torch.set_num_threads(1)
    # Autograd's first backward pass starts a thread for each device it sees, fake ones
    # too; processes that are forked afterwards could not run backward passes.
    torch.ones((), requires_grad=True).backward()
    # MMEngine formats the config four times per run, and again for every checkpoint.
    yapf_api.FormatCode = lambda text, **options: (text, False)


@pytest.fixture(autouse=True)
def seed() -> int:
    """Seed all generators; return the seed."""
    value = 0
    random.seed(value)
    np.random.seed(value)
    _seed_torch(value)
    return value


# MMEngine's init_weights logs a paragraph for each parameter.
MMLogger.get_current_instance().setLevel('WARNING')
_AT_START = instances()


@pytest.fixture(autouse=True, scope='module')
def _module_instances() -> Iterator[None]:
    restore(_AT_START)  # a thread of the last module may have ended after it
    # MMEngine collects garbage for each data set. The modules' 400,000 objects,
    # which are none, make that half a second.
    gc.collect()
    gc.freeze()
    with separate_run():
        yield


@pytest.fixture(autouse=True)
def _test_instances() -> Iterator[None]:
    with separate_run():
        yield
