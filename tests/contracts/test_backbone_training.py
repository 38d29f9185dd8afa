"""How every registered backbone trains, with every residual family."""

import copy

import pytest
import torch
from test_models.helpers import parameters_without_gradient, sum_of
from test_models.test_backbones.held import check_same, held_bytes

from .parts import (
    BACKBONES,
    CASES,
    IMAGES,
    active_backbone,
    case_id,
    fires,
    make_backbone,
    norms,
)

EVERY = pytest.mark.parametrize('case', CASES, ids=case_id)
CLASSES = pytest.mark.parametrize('name', BACKBONES)
# its stages are closed by norms and neurons
CLOSED = ('ResNetSNN', dict(family='PA-B'))


@EVERY
def test_every_parameter_gets_a_gradient(case) -> None:
    backbone = active_backbone(case, neuron=dict(type='PLIF'))
    levels = backbone(torch.randn(4, *IMAGES[1:]))
    sum_of(levels, [torch.randn_like(level) for level in levels]).backward()
    assert parameters_without_gradient(backbone) == []


@EVERY
@pytest.mark.parametrize('dtype', [torch.bfloat16, torch.float16])
def test_autocast(case, dtype: torch.dtype) -> None:
    """Spikes stay spikes, and gradients are finite and in fp32."""
    backbone = active_backbone(case, neuron=dict(type='LIF')).train()
    with torch.autocast('cpu', dtype=dtype):
        levels = backbone(torch.randn(IMAGES))
    assert fires(levels)
    for level in levels:
        if backbone.out_values in ('binary', 'integer'):
            assert torch.equal(level, level.round())
        assert backbone.out_values != 'binary' or level.max() == 1
    sum(level.float().mean() for level in levels).backward()
    grads = [p.grad for p in backbone.parameters()]
    assert all(g.dtype == torch.float32 and g.isfinite().all() for g in grads)


@EVERY
def test_memory_efficient_is_the_same(case) -> None:
    """Outputs, gradients and statistics of two passes; less is held."""
    plain = active_backbone(case, neuron=dict(type='PLIF')).train()
    lean = make_backbone(case, neuron=dict(type='PLIF'), memory_efficient=True)
    for norm in norms(plain):
        norm.num_batches_tracked.zero_()
    lean.load_state_dict(plain.state_dict())
    assert lean.stem.recompute
    assert all(closing.recompute for closing in lean.closings.values() if len(closing))
    image = torch.randn(IMAGES)
    check_same(plain, lean, image, passes=2)
    assert held_bytes(lean, image) < 0.6 * held_bytes(plain, image)


@pytest.mark.parametrize(
    'case', [*((name, {}) for name in BACKBONES), CLOSED], ids=case_id
)
@pytest.mark.parametrize('frozen_stages', [-1, 0, 1, 2])
def test_frozen_stages(case, frozen_stages: int) -> None:
    """Frozen from the start, and in training: no gradients, no new statistics."""
    options = dict(frozen_stages=frozen_stages, neuron=dict(type='PLIF'))
    backbone = active_backbone(case, **options).train()
    parts = [backbone.stem, *backbone.stages]
    parts = [(part, i <= frozen_stages) for i, part in enumerate(parts)]
    parts += [(c, int(i) < frozen_stages) for i, c in backbone.closings.items()]
    before = copy.deepcopy([part.state_dict() for part, _ in parts])
    levels = backbone(torch.randn(IMAGES))
    assert levels[-1].requires_grad == (frozen_stages < 2)
    if frozen_stages < 2:
        sum(level.sum() for level in levels if level.requires_grad).backward()
    for (part, frozen), state in zip(parts, before, strict=True):
        assert all(module.training is not frozen for module in part.modules())
        assert all(p.requires_grad is not frozen for p in part.parameters())
        assert not frozen or all(p.grad is None for p in part.parameters())
        if norms(part):
            assert frozen == all(
                torch.equal(value, state[key])
                for key, value in part.state_dict().items()
            )


@CLASSES
def test_norm_eval(name: str) -> None:
    backbone = make_backbone((name, {}), norm_eval=True).eval().train()
    assert norms(backbone) and not any(norm.training for norm in norms(backbone))
    assert backbone.training and backbone.stem.training
    assert all(p.requires_grad for p in backbone.parameters())
    assert all(
        norm.training for norm in norms(make_backbone((name, {})).eval().train())
    )


@CLASSES
def test_neuron_norm_convolution_and_initialisation_configs(name: str) -> None:
    backbone = make_backbone(
        (name, {}),
        neuron=dict(type='PLIF', init_tau=1.5),
        norm_cfg=dict(type='GN', num_groups=2),
        conv_cfg=dict(type='ConvWS'),
        init_cfg=dict(type='Constant', layer='ConvWS2d', val=2),
    )
    kinds = {type(module).__name__ for module in backbone.modules()}
    assert {'PLIF', 'GroupNorm', 'ConvWS2d'} <= kinds
    assert not kinds & {'IF', 'BatchNorm2d', 'Conv2d'}
    for module in backbone.modules():
        if type(module).__name__ == 'ConvWS2d':
            assert (module.weight == 2).all()
    assert len(backbone(torch.randn(IMAGES))) == 2
