"""Every registered part computes in several calls what it computes in one."""

import copy
import io
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from mmsnn.deploy import fold_norms, quantize_int8
from mmsnn.deploy.export.onnx_program import trace
from mmsnn.deploy.export.step_export import StepNetwork, rest_of
from mmsnn.models.layers import set_recompute
from mmsnn.models.stems.pixel_coding import CodedStem
from mmsnn.streaming import detach, restart, step, to

from .parts import (
    CASES,
    DECODERS,
    NEURONS,
    STEM_CASES,
    active_backbone,
    case_id,
    make_decoder,
    make_neuron,
    make_stem,
)

STEPS = 8
PARTITIONS = ([1] * 8, [3, 5], [6, 2])
BACKBONES = pytest.mark.parametrize('case', CASES, ids=case_id)


def levels_of(output: Any) -> list[Tensor]:
    return [output] if isinstance(output, Tensor) else list(output)


def in_parts(
    network: nn.Module, parts: list[tuple[Tensor, int]]
) -> tuple[list[list[Tensor]], dict[str, Tensor]]:
    """Return the outputs of calls over the parts of a sequence, and the last state."""
    outs, state = [], None
    for x, num_steps in parts:
        out, state = step(network, x, num_steps=num_steps, state=state)
        outs.append(levels_of(out))
    assert state is not None
    return outs, state


def check_parts(network: nn.Module, x: Tensor, time: int | None, steps: int) -> None:
    """Compare partitions with an ordinary call, to the bit.

    Args:
        network: Built for ``steps`` time steps; its outputs are time first.
        x: Its input.
        time: The input's dimension of time; None for images.
        steps: Number of time steps.
    """
    expected = levels_of(network(x))
    whole = levels_of(step(network, x, num_steps=steps)[0])
    assert all(torch.equal(a, b) for a, b in zip(whole, expected, strict=True))
    for sizes in PARTITIONS:
        sizes = [size for size in sizes if steps == STEPS] or [1, steps - 1]
        parts = (
            [x] * len(sizes)
            if time is None
            else torch.split(x, [len(x) // steps * n for n in sizes], 0)
            if time == 0
            else torch.split(x, sizes, time)
        )
        outs, _ = in_parts(network, list(zip(parts, sizes, strict=True)))
        for found, level in zip(zip(*outs, strict=True), expected, strict=True):
            assert torch.equal(torch.cat(found), level)


@pytest.mark.parametrize('name', NEURONS)
def test_neurons(name: str) -> None:
    neuron = make_neuron(name, STEPS)
    x = 2 * torch.rand(STEPS * 2, 3, 6, 5)
    with torch.no_grad():
        check_parts(neuron, x, 0, STEPS)
        neuron.in_bytes = True
        check_parts(neuron, x, 0, STEPS)


@pytest.mark.parametrize('case', STEM_CASES, ids=case_id)
@pytest.mark.parametrize('spiking', [True, False])
@pytest.mark.parametrize('frames', [False, True])
@torch.no_grad()
def test_stems(case, spiking: bool, frames: bool) -> None:
    stem = make_stem(case, spiking, STEPS).eval()
    x = torch.rand(2, STEPS, 3, 12, 10) if frames else torch.rand(2, 3, 12, 10)
    if frames and isinstance(stem, CodedStem):
        with pytest.raises(ValueError, match='codes images'):
            step(stem, x, num_steps=STEPS)
    elif frames and getattr(stem, 'temporal', None) is not None:
        with pytest.raises(ValueError, match='temporal attention'):
            step(stem, x, num_steps=STEPS)
    else:
        check_parts(stem, x, 1 if frames else None, STEPS)


@BACKBONES
@torch.no_grad()
def test_backbones(case) -> None:
    torch.manual_seed(0)
    backbone = active_backbone(case, num_steps=4).eval()
    check_parts(backbone, torch.randn(2, 3, 32, 32), None, 4)
    check_parts(backbone, torch.randn(2, 4, 3, 32, 32), 1, 4)


@pytest.mark.parametrize('name', DECODERS)
@torch.no_grad()
def test_decoders(name: str) -> None:
    decoder = make_decoder(name, num_steps=4).eval()
    spikes = torch.rand(10, 2, decoder.channels, 5, 4).round()
    results = []
    for sizes in ([10], [4, 6], [1] * 10, [3, 3, 4]):
        parts = list(zip(spikes.split(sizes), sizes, strict=True))
        outs, state = in_parts(decoder, parts)
        results.append(outs[-1][0])
        seen = 0
        for size, (out,) in zip(sizes, outs, strict=True):
            seen += size
            if seen == 4:
                torch.testing.assert_close(out, decoder(spikes[:4]))
    assert all(torch.equal(result, results[0]) for result in results)
    assert all(len(value) == 2 for value in state.values())


@pytest.mark.parametrize('name', [*NEURONS, *DECODERS])
@torch.no_grad()
def test_steps_leave_pytorch(name: str) -> None:
    """Exported, a step is of PyTorch's own operators, for any batch size."""
    is_neuron = name in NEURONS
    network = make_neuron(name, 1) if is_neuron else make_decoder(name, num_steps=3)
    network.eval()

    def sequence(items: int, number: int) -> list[Tensor]:
        shape = (items, 16, 5, 4) if is_neuron else (1, items, 16, 5, 4)
        return [torch.rand(shape).round() for _ in range(number)]

    examples = sequence(2, 1)
    rest, batch = rest_of(network, examples, 1), torch.export.Dim('batch')
    program = trace(
        StepNetwork(network, 1, rest),
        [examples, [*rest.values()]],
        [[{int(not is_neuron): batch}], [{0: batch} for _ in rest]],
    )
    targets = {str(node.target) for node in program.graph.nodes}
    assert not any('mmsnn' in target for target in targets)
    exported, state = program.module(), None
    states = [value.new_zeros(3, *value.shape[1:]) for value in rest.values()]
    for x in sequence(3, 5):
        found, *states = exported([x], states)
        expected, state = step(network, x, num_steps=1, state=state)
        assert torch.equal(found, expected)
        assert all(map(torch.equal, states, state.values()))


def active(**options: Any) -> nn.Module:
    torch.manual_seed(0)
    case = ('ResNetSNN', dict(family='SEW-ADD'))
    return active_backbone(case, num_steps=4, **options).eval()


def frames(count: int = 2, steps: int = 4) -> Tensor:
    torch.manual_seed(1)
    return torch.randn(count, steps, 3, 32, 32)


@torch.no_grad()
def test_calls_leave_network_and_state_as_they_are() -> None:
    network, x = active(), frames()
    expected = network(x)
    _, state = step(network, x, num_steps=4)
    saved = {key: value.clone() for key, value in state.items()}
    first, after = step(network, x, num_steps=4, state=state)
    again, _ = step(copy.deepcopy(network), x, num_steps=4, state=state)
    with ThreadPoolExecutor(2) as pool:
        runs = [
            pool.submit(step, network, x, num_steps=4, state=given)
            for given in (state, None)
        ]
    streamed, fresh = (run.result()[0] for run in runs)
    for found, wanted in (
        *((first, again), (first, streamed), (expected, fresh), (expected, network(x))),
    ):
        assert all(torch.equal(a, b) for a, b in zip(found, wanted, strict=True))
    assert not all(torch.equal(a, b) for a, b in zip(first, expected, strict=True))
    assert state.keys() == after.keys()
    assert all(torch.equal(state[key], saved[key]) for key in saved)


@torch.no_grad()
def test_items_restart_at_different_times() -> None:
    network, x = active(), frames(3)
    _, state = step(network, x, num_steps=4)
    items = torch.tensor([True, False, True])
    mixed, _ = step(network, x, num_steps=4, state=restart(network, state, items))
    fresh, _ = step(network, x, num_steps=4)
    on, _ = step(network, x, num_steps=4, state=state)
    for level, begun, gone_on in zip(mixed, fresh, on, strict=True):
        assert torch.equal(level[:, items], begun[:, items])
        assert torch.equal(level[:, ~items], gone_on[:, ~items])
        assert not torch.equal(begun, gone_on)


@torch.no_grad()
def test_the_state_is_saved_and_moved() -> None:
    network, x = active(), frames()
    _, state = step(network, x, num_steps=4)
    file = io.BytesIO()
    torch.save(state, file)
    file.seek(0)
    loaded = torch.load(file, weights_only=True)
    expected, _ = step(network, x, num_steps=4, state=state)
    found, _ = step(network, x, num_steps=4, state=loaded)
    assert all(torch.equal(a, b) for a, b in zip(found, expected, strict=True))
    assert all(v.device.type == 'meta' for v in to(state, 'meta').values())
    wide, _ = step(network.double(), x.double(), num_steps=4, state=state)
    near = [(a - b).abs().mean() for a, b in zip(wide, expected, strict=True)]
    assert max(near) < 0.01


@torch.no_grad()
@pytest.mark.parametrize('int8', [False, True])
def test_deployed_networks_stream(int8: bool) -> None:
    network = fold_norms(active())
    if int8:
        network, report = quantize_int8(network)
        assert report.converted
    check_parts(network, frames(), 1, 4)


def gradients(
    network: nn.Module,
    x: Tensor,
    sizes: list[int],
    cut: bool,
    state: dict[str, Tensor] | None = None,
    start: int = 0,
) -> Any:
    """Return the gradients of the sum of weighted features, chunk by chunk.

    The first frame of ``x`` is that of step ``start`` and continues from ``state``.
    """
    x = x.clone().requires_grad_()
    torch.manual_seed(2)
    total = x.new_zeros(())
    levels, _ = step(network, x, num_steps=x.shape[1])
    weights = [torch.randn(4, *level.shape[1:]).to(x) for level in levels]
    for part, size in zip(x.split(sizes, 1), sizes, strict=True):
        if cut and state is not None:
            state = detach(state)
        outs, state = step(network, part, num_steps=size, state=state)
        for out, weight in zip(outs, weights, strict=True):
            total = total + (out * weight[start : start + size]).sum()
        start += size
    parameters = [p for p in network.parameters() if p.requires_grad]
    return torch.autograd.grad(total, [x, *parameters])


@pytest.mark.parametrize('memory_efficient', [False, True])
def test_gradients_of_chunks(memory_efficient: bool) -> None:
    """Chunks give the gradients of one call; detached, none passes the cut."""
    network, x = active().double(), frames().double()
    expected = gradients(network, x, [4], False)
    set_recompute(network, memory_efficient)
    found = gradients(network, x, [1, 3], False)
    for grad, other in zip(found, expected, strict=True):
        torch.testing.assert_close(grad, other)
    cut = gradients(network, x, [2, 2], True)
    alone = gradients(network, x[:, :2], [2], False)
    assert not torch.allclose(cut[0][:, :2], expected[0][:, :2])
    torch.testing.assert_close(cut[0][:, 2:], expected[0][:, 2:])
    torch.testing.assert_close(cut[0][:, :2], alone[0])
    # parameters have the sum of the chunks' gradients, and nothing across the cut
    with torch.no_grad():
        _, state = step(network, x[:, :2], num_steps=2)
    later = gradients(network, x[:, 2:], [2], True, state, start=2)
    for grad, first, second in zip(cut[1:], alone[1:], later[1:], strict=True):
        torch.testing.assert_close(grad, first + second)
    pairs = zip(cut[1:], expected[1:], strict=True)
    assert not all(torch.allclose(grad, whole) for grad, whole in pairs)


def test_what_cannot_stream() -> None:
    network, x = active(), frames()
    _, state = step(network, x, num_steps=4)
    with pytest.raises(ValueError, match='num_steps must be'):
        step(network, x, num_steps=0)
    with pytest.raises(ValueError, match=r'has shape \[2, .* needs \[3, '):
        step(network, frames(3), num_steps=4, state=state)
    with pytest.raises(ValueError, match='another network'):
        step(make_neuron('IF'), torch.rand(2, 3), num_steps=2, state=state)
    with pytest.raises(ValueError, match='expected images of shape'):
        step(network, x, num_steps=2)
    compiled = make_neuron('IF')
    compiled.compile(backend='eager')
    for part in (compiled, torch.compile(make_neuron('IF'), backend='eager')):
        with pytest.raises(ValueError, match='compiled'):
            step(nn.Sequential(make_neuron('IF'), part), x[0], num_steps=4)
    with pytest.raises(ValueError, match=r'items must have shape \[2\]'):
        restart(network, state, torch.ones(3, dtype=torch.bool))
    with pytest.raises(TypeError, match='booleans'):
        restart(network, state, torch.ones(2))
