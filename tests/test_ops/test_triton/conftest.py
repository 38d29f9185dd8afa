"""Devices on which the Triton kernels run: a GPU, or a CPU by Triton's interpreter."""

import pytest
import torch
import triton


@pytest.fixture(scope='session')
def device() -> torch.device:
    """Return the device of the kernels' tensors; skip the test if there is none."""
    if triton.knobs.runtime.interpret:
        return torch.device('cpu')
    if not torch.cuda.is_available():
        pytest.skip('needs a CUDA device, or TRITON_INTERPRET=1')
    return torch.device('cuda')
