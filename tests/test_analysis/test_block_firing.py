"""Firing rates of residual blocks: of independent inputs, and of all families."""

import pytest
import torch
from test_models.helpers import calibrate, make_backbone
from torch import Tensor, nn

from mmsnn.analysis.firing.block_firing import expected_mean
from mmsnn.analysis.firing.firing_rates import BlockFiring
from mmsnn.models.residual import (
    AddMerge,
    AndMerge,
    GateMerge,
    IAndMerge,
    LearnedGateMerge,
    Merge,
)

from .test_firing import measure

MERGES = (AddMerge, AndMerge, IAndMerge, GateMerge, LearnedGateMerge)


def make_merge(kind: type[Merge]) -> Merge:
    """Return a merge of four channels; if it learns, of all its kinds of gates."""
    merge = kind(4)
    if isinstance(merge, LearnedGateMerge):
        with torch.no_grad():
            # opened by a spike, always, never and by silence
            merge.weight.view(-1).copy_(torch.tensor([1.0, 1.0, 0.2, -1.0]))
            merge.bias.view(-1).copy_(torch.tensor([0.0, 0.7, 0.0, 0.7]))
    return merge


@pytest.mark.parametrize('kind', MERGES)
@pytest.mark.parametrize(('p_h', 'p_x'), [(2, 3), (1, 3), (4, 1), (0, 2), (5, 5)])
def test_independent_spikes(kind: type[Merge], p_h: int, p_x: int) -> None:
    """All pairs of five values of which so many are spikes: independent."""
    merge = make_merge(kind)
    h = (torch.arange(5) < p_h).float().view(1, 1, 5, 1).expand(1, 4, 5, 5)
    x = (torch.arange(5) < p_x).float().expand(1, 4, 5, 5)
    with torch.no_grad():
        measured = merge(residual=h, shortcut=x).mean().item()
    assert expected_mean(merge, p_h / 5, p_x / 5) == pytest.approx(measured, abs=1e-6)


def test_formulas_by_name() -> None:
    h, x = 0.3, 0.6
    assert expected_mean(AddMerge(1), h, x) == h + x
    assert expected_mean(AndMerge(1), h, x) == h * x
    assert expected_mean(IAndMerge(1), h, x) == (1 - h) * x
    # a gate that has learned nothing is BSG's
    bsg = h + x - h * x
    assert expected_mean(GateMerge(1), h, x) == bsg
    assert expected_mean(LearnedGateMerge(3), h, x) == pytest.approx(bsg)

    class Other(GateMerge):
        """Merges in its own way, and does not say what comes of it."""

        def forward(self, residual: Tensor, shortcut: Tensor) -> Tensor:
            return shortcut

    class Renamed(GateMerge):
        """Merges as its base class."""

    assert expected_mean(Other(1), h, x) is None
    assert expected_mean(Renamed(1), h, x) == bsg
    assert not type('Mine', (AddMerge,), {'forward': Other.forward}).adds
    assert type('Named', (AddMerge,), {}).adds


def see_blocks(model: nn.Module, image: Tensor) -> dict[str, dict[str, Tensor]]:
    """Return what each merge got and each block returned."""
    seen: dict[str, dict[str, Tensor]] = {}
    for name, block in model.named_modules():
        if hasattr(block, 'merge'):
            found = seen.setdefault(name, {})
            block.merge.register_forward_pre_hook(
                lambda m, args, kw, found=found: found.update(kw), with_kwargs=True
            )
            block.register_forward_hook(
                lambda m, args, out, found=found: found.update(output=out)
            )
    with torch.no_grad():
        model(image)
    return seen


def rate(x: Tensor) -> float:
    return x.double().mean().item()


@pytest.mark.parametrize('family', ['SG-BSG', 'SG-BSG*', 'SEW-IAND', 'SEW-AND'])
def test_blocks_of_gates(family: str) -> None:
    image = torch.randn(4, 3, 32, 32)
    model = calibrate(make_backbone(family, 18), image).eval()
    seen = see_blocks(model, image)
    blocks = measure(model, image).blocks
    assert [b.name for b in blocks] == list(seen)
    # stages 1 to 3 begin with a projection
    assert [b.downsamples for b in blocks] == [False, False] + 3 * [True, False]
    for block in blocks:
        values = seen[block.name]
        assert block.last_firing_rate == rate(values['residual'])
        assert block.shortcut_mean == rate(values['shortcut'])
        assert block.output_mean == rate(values['output'])
        assert (block.output_values, block.sum_mean) == ('binary', None)
        # near what independent inputs would give, but measured
        assert block.output_mean == pytest.approx(block.expected_mean, abs=0.05)
    assert any(b.output_mean != b.expected_mean for b in blocks)


def test_blocks_of_sums() -> None:
    image = torch.randn(4, 3, 32, 32)
    model = calibrate(make_backbone('SEW-ADD', 18), image).eval()
    firing = measure(model, image)
    rates = {n.name: n.firing_rate for n in firing.neurons}
    for block in firing.blocks:
        assert block.output_values == 'integer'
        assert block.last_firing_rate == rates[f'{block.name}.branch.1.neuron'] > 0
        total = block.last_firing_rate + block.shortcut_mean
        assert block.expected_mean == total
        assert block.output_mean == pytest.approx(total)


# family: A, the shortcut, O, the expectation and the sum over the stage are numbers
REPORTED = {
    'plain': (True, False, True, False, False),
    'Spiking': (True, True, True, False, False),
    'tdBN': (True, False, True, False, False),
    'BAA': (True, True, True, False, False),
    'SEW-ADD': (True, True, True, True, False),
    'PA-A': (False, False, False, False, False),
    'PA-B': (False, False, False, False, False),
    'MS': (False, False, False, False, False),
    'DANet-C': (True, True, True, False, True),
    'DANet-D': (True, True, True, False, True),
}


def numbers(block: BlockFiring) -> tuple[bool, ...]:
    return tuple(
        value is not None
        for value in (
            block.last_firing_rate,
            block.shortcut_mean,
            block.output_mean,
            block.expected_mean,
            block.sum_mean,
        )
    )


@pytest.mark.parametrize('family', REPORTED)
def test_only_spikes_have_rates(family: str) -> None:
    image = torch.randn(2, 3, 32, 32)
    model = calibrate(make_backbone(family, 18), image).eval()
    firing = measure(model, image)
    # the second block of each stage, whose shortcut is the identity
    for block in firing.blocks[1::2]:
        assert numbers(block) == REPORTED[family]
    if family not in ('plain', 'SEW-ADD', 'PA-A', 'PA-B', 'MS'):
        # neurons behind the merge are a block's last
        for block in firing.blocks:
            assert block.last_firing_rate == block.output_mean > 0


def test_zeroed_norms_make_no_spikes_of_what_is_analog() -> None:
    image = torch.randn(2, 3, 32, 32)
    model = make_backbone('PA-A', 18, zero_init_residual=True).train()
    for block in measure(model, image).blocks:
        assert numbers(block) == (False,) * 5


@pytest.mark.parametrize('family', ['SEW-ADD', 'SEW-AND', 'SEW-IAND', 'SG-BSG'])
def test_zero_initialisation(family: str) -> None:
    """All curves of SEW's Fig. 5 are one: blocks return their shortcuts."""
    image = torch.randn(2, 3, 32, 32)
    model = make_backbone(family, 18, zero_init_residual=True).train()
    for block in measure(model, image).blocks:
        assert block.last_firing_rate == (1 if family == 'SEW-AND' else 0)
        assert block.output_mean == block.shortcut_mean > 0


def test_initial_rates_of_deep_networks() -> None:
    """SEW's Fig. 5: AND falls silent, IAND decays, ADD grows linearly."""
    image = torch.randn(4, 3, 32, 32)
    outputs, lasts = {}, {}
    for family in ('SEW-AND', 'SEW-IAND', 'SEW-ADD'):
        blocks = measure(make_backbone(family, 34).train(), image).blocks
        # the third stage's blocks whose shortcut is the identity
        chosen = [b for b in blocks if b.name.startswith('stages.2.')][1:]
        outputs[family] = [b.output_mean for b in chosen]
        lasts[family] = [b.last_firing_rate for b in chosen]
    assert max(outputs['SEW-AND']) < 0.02 < min(outputs['SEW-IAND'])
    for family, falls in (('SEW-IAND', True), ('SEW-ADD', False)):
        assert outputs[family] == sorted(outputs[family], reverse=falls)
        assert max(lasts[family]) < 2 * min(lasts[family])
    steps = torch.tensor(outputs['SEW-ADD']).diff()
    assert steps.max() < 1.5 * steps.min()


@pytest.mark.parametrize('family', ['DANet-C', 'DANet-D'])
def test_densely_additive_stages(family: str) -> None:
    image = torch.randn(2, 3, 32, 32)
    model = calibrate(make_backbone(family, 34), image).eval()
    with torch.no_grad():
        outputs = model(image)
    blocks = measure(model, image).blocks
    for i, output in enumerate(outputs):
        stage = [b for b in blocks if b.name.startswith(f'stages.{i}.')]
        assert stage[-1].sum_mean == pytest.approx(rate(output))
        assert stage[0].sum_mean == stage[0].output_mean
        # the sum is what the next block is fed with
        for block, following in zip(stage, stage[1:], strict=False):
            assert following.shortcut_mean == pytest.approx(block.sum_mean)


def test_graded_stem() -> None:
    """Shortcuts carry graded values on as far as the next projection."""
    image = torch.randn(2, 3, 32, 32)
    stem = dict(type='GatedAttentionStem', kernel_size=3, stride=1)
    model = calibrate(make_backbone('SG-BSG', 18, stem=stem), image).eval()
    blocks = measure(model, image).blocks
    for block in blocks[:2]:
        assert numbers(block) == (True, False, False, False, False)
        assert block.output_values == 'analog'
    for block in blocks[2:]:
        assert numbers(block) == (True, True, True, True, False)
        assert block.output_values == 'binary'
