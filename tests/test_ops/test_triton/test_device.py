"""What an interpreter cannot show: a real device's errors, size, order and waiting."""

import subprocess
import sys
from collections.abc import Callable, Iterator

import pytest
import torch
import triton
from torch import Tensor

from mmsnn import ops
from mmsnn.ops import Dynamics

from .neuron_cases import channels_last, random

pytestmark = pytest.mark.gpu

NAN_IN_BYTES = """
import torch
from mmsnn.ops import Dynamics, spike_bytes

class Line:
    def derivative(self, x):
        return x

dynamics = Dynamics(1.0, 0.0, False, Line())
x_seq = torch.full((2, 8), float('nan'), device='cuda')
spike_bytes(x_seq, None, dynamics)
torch.cuda.synchronize()
"""


@pytest.fixture
def cuda(device: torch.device) -> torch.device:
    if triton.knobs.runtime.interpret:
        pytest.skip('needs a CUDA device')
    return device


class Triangle:
    """A surrogate that the kernels do not know."""

    def derivative(self, x: Tensor) -> Tensor:
        return (1 - x.abs()).clamp(min=0)


NEURON = Dynamics(1.0, 0.0, False, Triangle())


def learn(x_seq: Tensor, decay: Tensor | float | None) -> tuple[Tensor, ...]:
    """Return spikes and gradients of a step, through the operators."""
    x_seq = x_seq.detach().requires_grad_()
    inputs = [x_seq]
    if isinstance(decay, Tensor):
        decay = decay.detach().requires_grad_()
        inputs.append(decay)
    spikes = ops.multi_step(x_seq, decay, NEURON)
    weights = torch.linspace(-1, 1, spikes.numel(), device=spikes.device)
    (spikes * weights.view_as(spikes)).sum().backward()
    return spikes, *(x.grad for x in inputs)


@pytest.mark.parametrize('learned', [True, False])
def test_gradients_equal_those_on_a_cpu(learned: bool, cuda: torch.device) -> None:
    x_seq, decay = channels_last(4), torch.tensor(0.3) if learned else 0.3
    on_device = decay.to(cuda) if isinstance(decay, Tensor) else decay
    results = learn(x_seq.to(cuda), on_device)
    for result, expected in zip(results, learn(x_seq, decay), strict=True):
        torch.testing.assert_close(result.cpu(), expected, rtol=1e-4, atol=1e-5)


@pytest.fixture
def waiting_is_an_error(cuda: torch.device) -> Iterator[Callable[[], None]]:
    """Return a function after which PyTorch raises where it waits for the device."""
    yield lambda: torch.cuda.set_sync_debug_mode('error')
    torch.cuda.set_sync_debug_mode('default')


def test_a_learned_decay_does_not_synchronise(
    cuda: torch.device, waiting_is_an_error: Callable[[], None]
) -> None:
    x_seq, decay = channels_last(4).to(cuda), torch.tensor(0.3, device=cuda)
    learn(x_seq, decay)
    waiting_is_an_error()
    learn(x_seq, decay)
    ops.spike_bytes(x_seq, decay, NEURON)


def test_the_gradient_of_a_decay_is_reproducible(cuda: torch.device) -> None:
    x_seq, decay = random(4, 2**20).to(cuda), torch.tensor(0.3, device=cuda)
    first = learn(x_seq, decay)[-1]
    for _ in range(5):
        assert torch.equal(learn(x_seq, decay)[-1], first)


def test_nan_in_bytes_is_an_error_of_the_device(cuda: torch.device) -> None:
    # in a process of its own, whose context is lost
    done = subprocess.run(
        [sys.executable, '-c', NAN_IN_BYTES], capture_output=True, text=True
    )
    assert done.returncode != 0
    assert 'device-side assert' in done.stderr


def test_more_numbers_than_32_bits_address(cuda: torch.device) -> None:
    if torch.cuda.mem_get_info(cuda)[0] < 8 * 2**30:
        pytest.skip('needs 8 GiB of free memory')
    x_seq = torch.zeros(2, 2**30 + 512, dtype=torch.bfloat16, device=cuda)
    x_seq[:, -3:] = 1.0
    spikes = ops.spike_bytes(x_seq, None, NEURON)
    assert spikes[:, -3:].tolist() == [[1, 1, 1], [1, 1, 1]]
    assert spikes.sum(dtype=torch.int64).item() == 6


@pytest.mark.skipif(torch.cuda.device_count() < 2, reason='needs two CUDA devices')
def test_tensors_on_another_device(cuda: torch.device) -> None:
    x_seq = channels_last(4)
    with torch.cuda.device(0):
        results = learn(x_seq.to('cuda:1'), 0.3)
    assert results[0].device == torch.device('cuda:1')
    for result, expected in zip(results, learn(x_seq, 0.3), strict=True):
        torch.testing.assert_close(result.cpu(), expected, rtol=1e-4, atol=1e-5)
