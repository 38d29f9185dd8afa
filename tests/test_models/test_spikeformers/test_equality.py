"""The backbones equal their papers' networks, written out in ``reference.py``."""

import pytest
import torch

from mmsnn.models import convert_spikeformer
from mmsnn.models.initializers.published_spikeformers import our_name

from .networks import CHANNELS, KINDS
from .reference import Lif, Reference, scatter


class Threshold(Lif):
    """V3's attention has no threshold of its own."""

    def __init__(self, steps: int, v_threshold: float = 1.0) -> None:
        super().__init__(steps)


def both(kind: str, steps: int):
    """Return the written-out network and ours with its weights, in double precision."""
    torch.manual_seed(0)
    options = {**KINDS[kind][1], 'num_steps': steps, 'out_indices': (0, 1, 2, 3)}
    own = {'neuron': Threshold} if kind == 'V3 with LIF' else {}
    theirs = Reference(CHANNELS, steps, v3=kind != 'V2', heads=2, **own)
    ours = KINDS[kind][0](CHANNELS, num_heads=2, **options).double()
    theirs = scatter(theirs, torch.randn(4, 3, 64, 49)).double()
    ours.load_state_dict(convert_spikeformer(theirs.state_dict(), ours), strict=False)
    return theirs, ours


CASES = [('V2', 1), ('V2', 4), ('V3 with LIF', 4), ('V3', 1)]


@pytest.mark.parametrize('training', [True, False])
@pytest.mark.parametrize(('kind', 'steps'), CASES)
def test_it_is_the_papers_network(kind, steps, training):
    theirs, ours = both(kind, steps)
    theirs.train(training)
    ours.train(training)
    image = torch.randn(2, 3, 64, 49, dtype=torch.float64)
    expected = theirs(image)
    outs = ours(image)
    assert [tuple(out.shape[2:]) for out in outs] == [
        (8, 16, 13),
        (12, 8, 7),
        (16, 4, 4),
        (24, 4, 4),
    ]
    for out, hand in zip(outs, expected, strict=True):
        assert 0.02 < out.mean() < 0.98 * out.max()
        assert torch.equal(out, hand * out.max() / hand.max())
    # V3's neurons return C / D there and C here, and weights are divided by D
    largest = 4 if kind == 'V3' else 1
    weights = [torch.randn_like(out) for out in outs]
    sum((x * w).sum() for x, w in zip(outs, weights, strict=True)).backward()
    scaled = zip(expected, weights, strict=True)
    sum((largest * x * w).sum() for x, w in scaled).backward()
    found = dict(ours.named_parameters())
    for name, parameter in theirs.named_parameters():
        if name.startswith('head.'):
            continue
        grad = found.pop(our_name(name)).grad
        # in training, a norm takes away the bias before it
        if not (training and name.endswith(('_conv.bias', '0.body.2.2.bias'))):
            assert grad.any(), name
            hand = parameter.grad.view_as(grad)
            if parameter.dim() > 1 and not name.startswith('downsample1_1'):
                hand = largest * hand
            assert (grad - hand).abs().max() < 1e-6 * hand.abs().max(), name
    assert not found
