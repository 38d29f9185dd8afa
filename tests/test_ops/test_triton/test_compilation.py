"""Every kernel compiles for GPUs, on a machine without one.

The interpreter knows neither types nor registers. Here Triton compiles to machine code
what the operators would launch, by its own compiler and NVIDIA's assembler.
"""

import importlib
import re
import subprocess
from collections import defaultdict
from collections.abc import Callable, Iterator
from functools import partial
from itertools import product
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
import triton
from triton.backends.compiler import GPUTarget
from triton.runtime.jit import JITFunction, KernelInterface

from mmsnn.ops import SurrogateKind
from mmsnn.ops.build import SWITCH
from mmsnn.ops.schemas import SCHEMAS

from .neuron_cases import DTYPES, KINDS, NEURONS, neuron, random

pytestmark = pytest.mark.skipif(
    triton.knobs.runtime.interpret, reason='an interpreter compiles nothing'
)

MODULES = ('gate', 'integer_neuron', 'neuron_kernels', 'spike_packing')
CAPABILITIES = (75, 80, 90, 100)


def cuda_operator(name: str) -> Callable[..., Any]:
    """Return an operator as it is on a GPU, whatever the device of its tensors."""
    operator = getattr(torch.ops.mmsnn, name).default
    keys = torch._C.DispatchKeySet(torch._C.DispatchKey.CUDA)
    return partial(operator.redispatch, keys)


operators = SimpleNamespace(**{name: cuda_operator(name) for name in SCHEMAS})


class Driver:
    """A GPU's driver, as far as the compiler asks it."""

    def __init__(self, capability: int) -> None:
        self.capability = capability

    def get_current_device(self) -> int:
        return 0

    def get_current_stream(self, device: int) -> int:
        return 0

    def get_current_target(self) -> GPUTarget:
        return GPUTarget('cuda', self.capability, 32)


@pytest.fixture
def compiled(
    request: pytest.FixtureRequest,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> dict[int, Any]:
    """Compile instead of launching; return the compiled kernels, each once."""
    found: dict[int, Any] = {}

    def compile_only(self: JITFunction, grid: Any) -> Callable[..., None]:
        def launch(*args: Any, **options: Any) -> None:
            kernel = self.run(*args, grid=grid, warmup=True, **options)
            found[id(kernel)] = kernel

        return launch

    monkeypatch.setenv('TRITON_CACHE_DIR', str(tmp_path))
    monkeypatch.setenv(SWITCH, '1')
    monkeypatch.setattr(KernelInterface, '__getitem__', compile_only)
    for function in all_kernels():
        caches = defaultdict(function.create_binder)
        monkeypatch.setattr(function, 'device_caches', caches)
    driver = Driver(getattr(request, 'param', 80))
    monkeypatch.setattr(triton.runtime.driver, '_active', driver)
    return found


def all_kernels() -> Iterator[JITFunction]:
    """Yield the kernels that are launched."""
    for name in MODULES:
        module = importlib.import_module(f'mmsnn.ops.triton.{name}')
        for value in vars(module).values():
            if isinstance(value, JITFunction) and value.__name__.endswith('kernel'):
                yield value


Neuron = tuple[str, float | None, bool, SurrogateKind]
ALL_NEURONS = list(product(NEURONS, (None, 0.0), (True, False), KINDS))
# every neuron and reset, and with them every surrogate
SOME_NEURONS = [
    (name, v_reset, detach_reset, KINDS[number % len(KINDS)])
    for number, (name, (v_reset, detach_reset)) in enumerate(
        product(NEURONS, ((None, True), (0.0, False)))
    )
]


def launch_neurons(dtype: torch.dtype, neurons: list[Neuron]) -> None:
    x_seq = random(2, 1024).to(dtype)
    h_seq = random(2, 1024).to(torch.promote_types(dtype, torch.float32))
    for name, v_reset, detach_reset, kind in neurons:
        args = (*neuron(name, v_reset, dtype), detach_reset, int(kind), 2.0)
        operators.multi_step(x_seq, *args, detach_reset, not detach_reset)
        slope = h_seq if kind == SurrogateKind.GIVEN else None
        operators.multi_step_backward(x_seq, h_seq, *args, slope)
    for flag in (True, False):
        operators.integer_multi_step(x_seq, 0.25, 4, flag, False, flag)
        operators.integer_multi_step_backward(x_seq, h_seq, 0.25, 4, flag, flag)


def launch_others(dtype: torch.dtype) -> None:
    x = random(1024).to(dtype)
    operators.gate(x, x)
    operators.gate_backward(x, x, x)
    for bits in (True, False):
        kind = 'bits' if bits else 'bytes'
        numbers, _ = getattr(operators, f'pack_{kind}')(x)
        getattr(operators, f'unpack_{kind}')(numbers, x.shape, x.stride(), dtype)


def check_machine_code(kernel: Any, folder: Path) -> None:
    """Check that a kernel keeps its numbers in registers, and how it rounds."""
    path = folder / 'kernel.cubin'
    path.write_bytes(kernel.asm['cubin'])
    usage = subprocess.run(
        [triton.knobs.nvidia.cuobjdump.path, '-res-usage', str(path)],
        check=True,
        capture_output=True,
        text=True,
    ).stdout
    # kernels in fp64 may have a stack frame, but spill nothing to local memory either
    frame = '[08]' if '.f64' in kernel.asm['ptx'] else '0'
    assert re.search(rf'STACK:{frame} .*LOCAL:0 ', usage), usage
    # contracted operations would flip spikes
    if kernel.metadata.name.endswith('forward_kernel'):
        assert not re.search(r'\bfma\.', kernel.asm['ptx'])


def test_kernels_compile(compiled: dict[int, Any], tmp_path: Path) -> None:
    launch_others(torch.bfloat16)
    launch_neurons(torch.bfloat16, SOME_NEURONS)
    names = {kernel.metadata.name for kernel in compiled.values()}
    assert names == {function.__name__ for function in all_kernels()}
    for kernel in compiled.values():
        check_machine_code(kernel, tmp_path)


@pytest.mark.slow
@pytest.mark.parametrize('compiled', CAPABILITIES, indirect=True)
@pytest.mark.parametrize('dtype', DTYPES)
def test_all_kernels_compile_for_all_architectures(
    dtype: torch.dtype, compiled: dict[int, Any], tmp_path: Path
) -> None:
    launch_others(dtype)
    launch_neurons(dtype, ALL_NEURONS)
    for kernel in compiled.values():
        check_machine_code(kernel, tmp_path)


def test_number_of_steps_does_not_recompile(compiled: dict[int, Any]) -> None:
    args = (*neuron('LIF', 0.0, torch.float32), False, int(SurrogateKind.ATAN), 2.0)
    for steps in (1, 2, 3, 16, 32):
        x_seq = random(steps, 1024)
        operators.multi_step(x_seq, *args, True, False)
        operators.multi_step_backward(x_seq, x_seq, *args, None)
        operators.integer_multi_step(x_seq, 0.25, 4, False, False, True)
        operators.integer_multi_step_backward(x_seq, x_seq, 0.25, 4, False, False)
    assert len(compiled) == 4  # one of each


def test_accesses_are_vectorised(compiled: dict[int, Any]) -> None:
    args = (*neuron('PLIF', 0.0, torch.float32), False, int(SurrogateKind.ATAN), 2.0)
    x_seq = random(4, 1024)
    operators.multi_step(x_seq, *args, True, False)
    operators.multi_step_backward(x_seq, x_seq, *args, None)
    for kernel in compiled.values():
        assert len(re.findall(r'global\.v4\.b32', kernel.asm['ptx'])) == 4


def test_errors_of_a_device_are_raised_and_forgotten(
    compiled: dict[int, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*args: Any, **options: Any) -> None:
        raise torch.OutOfMemoryError('CUDA out of memory')

    x = random(1024)
    with monkeypatch.context() as patch:
        patch.setattr(JITFunction, 'run', fail)
        with pytest.raises(torch.OutOfMemoryError):
            operators.gate(x, x)
    operators.gate(x, x)
    assert len(compiled) == 1
