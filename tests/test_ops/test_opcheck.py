"""PyTorch's own check of every operator: schema, fake implementation, gradient."""

import itertools
from collections.abc import Callable, Iterator

import pytest
import torch
from torch import Tensor

from mmsnn.ops import SurrogateKind
from mmsnn.ops.schemas import SCHEMAS

STEPS = 3
# AOT dispatch takes a second per case
FAST = ('test_schema', 'test_autograd_registration', 'test_faketensor')
ALL = (*FAST, 'test_aot_dispatch_dynamic')


def layouts(dtype: torch.dtype, learns: bool) -> Iterator[Tensor]:
    """Return currents contiguous, channels-last, and of one image for all steps."""
    x = torch.rand(STEPS, 2, 3, 4, 2).to(dtype)
    last = x.flatten(0, 1).contiguous(memory_format=torch.channels_last)
    yield x.requires_grad_(learns)
    yield last.unflatten(0, (STEPS, 2)).detach().requires_grad_(learns)
    yield x[0].detach().expand(x.shape).requires_grad_(learns)


def neurons(dtype: torch.dtype) -> Iterator[tuple[object, ...]]:
    """Return the arguments of ``multi_step``, with a gradient where spikes have one."""
    state = torch.promote_types(dtype, torch.float32)
    resets = (0.0, -0.1, None)
    kinds = itertools.cycle(SurrogateKind)
    for keep, decay, v_reset in itertools.product((True, False), range(3), resets):
        learned = torch.tensor(0.5, dtype=state) if decay == 2 else None
        kind = next(kinds)
        learns = keep and kind != SurrogateKind.GIVEN
        if learned is not None:
            learned.requires_grad_(learns)
        fixed = 0.25 if decay == 1 else None
        rule = (learned, fixed, 0.7, v_reset, not keep, bool(decay), int(kind), 2.0)
        for x in layouts(dtype, learns):
            yield (x, *rule, keep, False)
    yield (x.detach(), None, *rule[1:], False, True)


def backwards(dtype: torch.dtype) -> Iterator[tuple[object, ...]]:
    state = torch.promote_types(dtype, torch.float32)
    for x, learned, *rule, _, _ in neurons(dtype):
        h = x.detach().to(state, memory_format=torch.preserve_format)
        slope = torch.rand_like(h) if rule[5] == SurrogateKind.GIVEN else None
        learned = None if learned is None else learned.detach()
        yield (x.detach(), h, learned, *rule, slope)


def integers(dtype: torch.dtype) -> Iterator[tuple[object, ...]]:
    for normalize, detach, keep in itertools.product((True, False), repeat=3):
        for x in layouts(dtype, keep):
            yield (x, 0.25, 4, normalize, detach, keep)


def integer_backwards(dtype: torch.dtype) -> Iterator[tuple[object, ...]]:
    state = torch.promote_types(dtype, torch.float32)
    for x, *settings, _ in integers(dtype):
        yield (x.detach(), x.detach().to(state), *settings)


def stateful(dtype: torch.dtype) -> Iterator[tuple[object, ...]]:
    """Return the arguments of ``multi_step_from``, some from rest."""
    state = torch.promote_types(dtype, torch.float32)
    for i, (x, *rule) in enumerate(neurons(dtype)):
        v = torch.rand(x.shape[1:], dtype=state).requires_grad_(x.requires_grad)
        yield (x, None if i % 3 == 0 else v, *rule)


def stateful_backwards(dtype: torch.dtype) -> Iterator[tuple[object, ...]]:
    for grad, h, *rest in backwards(dtype):
        v = torch.rand_like(h[0])
        yield (grad, torch.rand_like(v), h, v, *rest)


def stateful_integers(dtype: torch.dtype) -> Iterator[tuple[object, ...]]:
    state = torch.promote_types(dtype, torch.float32)
    for i, (x, *settings) in enumerate(integers(dtype)):
        v = torch.rand(x.shape[1:], dtype=state).requires_grad_(x.requires_grad)
        yield (x, None if i % 3 == 0 else v, *settings)


def stateful_integer_backwards(dtype: torch.dtype) -> Iterator[tuple[object, ...]]:
    for grad, h, *settings in integer_backwards(dtype):
        yield (grad, torch.rand_like(h[0]), h, *settings)


def gates(dtype: torch.dtype) -> Iterator[tuple[object, ...]]:
    yield from itertools.product(layouts(dtype, True), repeat=2)


def gate_backwards(dtype: torch.dtype) -> Iterator[tuple[object, ...]]:
    for h, x in gates(dtype):
        yield torch.rand_like(h), h.detach(), x.detach()


def packs(dtype: torch.dtype) -> Iterator[tuple[object, ...]]:
    for x in layouts(dtype, False):
        yield (x.round(),)


def unpacks(size: int) -> Callable[[torch.dtype], Iterator[tuple[object, ...]]]:
    """Return a maker of arguments for numbers in ``size`` bytes."""

    def cases(dtype: torch.dtype) -> Iterator[tuple[object, ...]]:
        numbers = torch.randint(0, 256, (size,), dtype=torch.uint8)
        yield numbers, [3, 4], [4, 1], dtype
        yield numbers, [3, 4], [1, 3], dtype

    return cases


CASES = {
    'multi_step': neurons,
    'multi_step_backward': backwards,
    'integer_multi_step': integers,
    'integer_multi_step_backward': integer_backwards,
    'multi_step_from': stateful,
    'multi_step_from_backward': stateful_backwards,
    'integer_multi_step_from': stateful_integers,
    'integer_multi_step_from_backward': stateful_integer_backwards,
    'gate': gates,
    'gate_backward': gate_backwards,
    'pack_bits': packs,
    'pack_bytes': packs,
    'unpack_bits': unpacks(2),
    'unpack_bytes': unpacks(12),
}


def test_every_operator_is_checked() -> None:
    assert CASES.keys() == SCHEMAS.keys()


def check(
    name: str, dtype: torch.dtype, utilities: tuple[str, ...], every: int
) -> None:
    operator = getattr(torch.ops.mmsnn, name).default
    for args in itertools.islice(CASES[name](dtype), 0, None, every):
        torch.library.opcheck(operator, args, test_utils=utilities)


@pytest.mark.parametrize('name', CASES)
def test_operator(name: str, implementation: str) -> None:
    check(name, torch.float32, FAST, 1)


@pytest.mark.parametrize('name', CASES)
def test_operator_under_aot_dispatch(name: str) -> None:
    check(name, torch.float32, ALL, 100)


@pytest.mark.slow
@pytest.mark.parametrize('dtype', [torch.float32, torch.bfloat16, torch.float64])
@pytest.mark.parametrize('name', CASES)
def test_operator_in_more_settings(name: str, dtype: torch.dtype) -> None:
    check(name, dtype, ALL, 7)
