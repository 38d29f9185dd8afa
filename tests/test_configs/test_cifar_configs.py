"""The CIFAR configs against their papers' tables."""

import functools
import math
from copy import deepcopy
from dataclasses import replace
from typing import Any

import pytest
import torch
from mmengine.optim import build_optim_wrapper
from mmengine.registry import PARAM_SCHEDULERS
from mmpretrain.structures import DataSample
from torch import Tensor, nn

from mmsnn.models import FAMILIES, IF, LIF, VGGSNN, GatedAttentionStem, PooledResNet
from mmsnn.models.neurons import Rectangular
from mmsnn.ops import Dynamics
from test_configs import files
from test_configs.cifar_papers import (
    ABLATIONS,
    CODING_FILES,
    COSINE,
    COSINE_64,
    FILES,
    GAC_FILES,
    PARAMETERS,
    SETTINGS,
    SEW_FILES,
    SG_FILES,
    STEPS_10,
    STEPS_100,
    cached,
)
from test_configs.files import CONFIGS, setting
from test_configs.narrow import narrow


@functools.cache
def build(name: str) -> nn.Module:
    return files.build(cached(name), 'meta')


def test_the_tables_and_the_folders_agree() -> None:
    there = {
        f'{folder}/{path.stem}'
        for folder in ('cifar10', 'cifar100')
        for path in (CONFIGS / folder).glob('*.py')
    }
    assert there == FILES.keys()
    assert len(there) == 29 + 5 + 3 + 6


def test_settings_are_the_papers() -> None:
    for name, where, key, value in SETTINGS:
        assert setting(cached(name), key) == value, f'{name}: {where}'


@pytest.mark.parametrize('name', FILES)
def test_the_rate_of_learning(name: str) -> None:
    cfg = deepcopy(cached(name))
    cfg.optim_wrapper.type = 'OptimWrapper'
    cfg.optim_wrapper.pop('loss_scale', None)
    wrapper = build_optim_wrapper(nn.Linear(1, 1), cfg.optim_wrapper)
    schedulers = [
        PARAM_SCHEDULERS.build(scheduler, default_args=dict(optimizer=wrapper))
        for scheduler in cfg.param_scheduler
    ]
    rates = []
    for _ in range(cfg.train_cfg.max_epochs):
        rates += wrapper.get_lr()['lr']
        wrapper.step()
        for scheduler in schedulers:
            scheduler.step()
    expected = COSINE_64 if name in SEW_FILES else COSINE
    if name in SG_FILES:
        expected = STEPS_10 if name.startswith('cifar10/') else STEPS_100
    assert {epoch: rates[epoch] for epoch in expected} == pytest.approx(
        expected, abs=1e-5
    )


@pytest.mark.parametrize('name', FILES)
def test_what_every_network_has(name: str) -> None:
    model = build(name)
    assert all(parameter.requires_grad for parameter in model.parameters())
    classes = int(name.partition('/')[0].removeprefix('cifar'))
    assert cached(name).train_dataloader.dataset.type == f'CIFAR{classes}'
    assert model.head.num_classes == classes
    assert model.data_preprocessor.num_classes == classes
    # 3x3, stride 1, no max-pool (SG 5.1.1, GAC "Architecture details")
    stem = model.backbone.stem
    conv = stem.encode[0]
    assert (conv.kernel_size, conv.stride) == ((3, 3), (1, 1))
    width = 32 if name in SEW_FILES else 128 if '-r19-' in name else 64
    assert conv.out_channels == width
    assert stem.pool is None
    assert type(model.neck[1]).__name__ == 'GlobalAveragePooling'
    # From scratch, and the last epoch is reported. Only GAC's and SEW's code start from
    # other weights than MMEngine's.
    assert (cached(name).model.backbone.get('init_cfg') is None) == (name in SG_FILES)
    assert 'save_best' not in cached(name).default_hooks.checkpoint


@pytest.mark.parametrize(('name', 'row'), SG_FILES.items())
def test_network_is_the_sg_papers(name: str, row: tuple[Any, ...]) -> None:
    _, family, blocks, decoder = row
    backbone = build(name).backbone
    # BSG*'s threshold is not given
    options = backbone.family.merge_options
    assert backbone.family == replace(FAMILIES[family], merge_options=options)
    assert backbone.num_steps == 4
    assert backbone.architecture.num_blocks == blocks
    assert backbone.out_channels == (512,)
    assert [type(d).__name__ for d in build(name).neck[0].decoders] == [decoder]
    # Section 5: IF, reset to 0, threshold 1, arc tangent
    neuron = backbone.stem.neuron
    assert type(neuron).__name__ == 'IF'
    dynamics = neuron.dynamics
    assert (dynamics.v_threshold, dynamics.v_reset) == (1.0, 0.0)
    assert (type(dynamics.surrogate).__name__, dynamics.surrogate.alpha) == ('ATan', 2)


@pytest.mark.parametrize(('name', 'row'), GAC_FILES.items())
def test_network_is_the_gac_papers(name: str, row: tuple[Any, ...]) -> None:
    _, num_steps, stem = row
    backbone = build(name).backbone
    assert backbone.family is FAMILIES['MS']
    assert type(backbone.stem) is stem
    assert backbone.num_steps == build(name).neck[0].num_steps == num_steps
    assert backbone.architecture.num_blocks == (3, 3, 2)
    assert [type(d).__name__ for d in build(name).neck[0].decoders] == ['Rate']
    # Table 4: threshold, reset, decay, width of the surrogate
    neuron = backbone.closings['2'][0]
    assert type(neuron).__name__ == 'LIF'
    dynamics = neuron.dynamics
    assert (dynamics.v_threshold, dynamics.v_reset) == (0.5, 0.0)
    assert 1 - neuron.decay() == pytest.approx(0.25)
    assert not dynamics.decay_input
    assert dynamics.surrogate == Rectangular(1.0)


def title(name: str) -> str:
    return name.partition('/')[2].partition('_')[0]


@pytest.mark.parametrize('name', GAC_FILES)
def test_encoders_of_gac(name: str) -> None:
    stem = build(name).backbone.stem
    if isinstance(stem, GatedAttentionStem):
        changed = ABLATIONS.get(title(name), {})
        assert (stem.temporal is not None) == changed.get('temporal', True)
        has_sca = stem.spatial_channel is not None
        assert has_sca == changed.get('spatial_channel', True)
        if has_sca:
            kernels = {
                m.kernel_size for m in stem.spatial_channel if isinstance(m, nn.Conv2d)
            }
            assert kernels == {(changed.get('sca_kernel_size', 4),) * 2}


@pytest.mark.parametrize(('name', 'row'), CODING_FILES.items())
def test_codings_of_the_gac_paper(name: str, row: tuple[Any, ...]) -> None:
    num_steps, stem, _ = row
    model = build(name)
    backbone = model.backbone
    assert type(backbone.stem) is stem
    assert backbone.num_steps == model.neck[0].num_steps == num_steps
    # the codings see the pixels that the preprocessor was given
    cfg = cached(name).model
    assert cfg.backbone.stem.mean == cfg.data_preprocessor.mean
    assert cfg.backbone.stem.std == cfg.data_preprocessor.std
    layers = [layer.out_features for layer in model.head.modules() if is_linear(layer)]
    if type(backbone) is VGGSNN:
        assert (backbone.depth, layers) == (16, [4096, 4096, 10])
    else:
        assert (backbone.depth, layers) == (19, [256, 10])
        assert backbone.family is FAMILIES['tdBN']
        assert backbone.architecture.num_blocks == (3, 3, 2)
        assert [s[0].branch[0].conv.out_channels for s in backbone.stages] == [
            *(128, 256, 512)
        ]
    neurons = [m for m in backbone.modules() if isinstance(m, LIF)]
    assert {n.dynamics for n in neurons} == {gac_neuron().dynamics}


def is_linear(module: nn.Module) -> bool:
    return isinstance(module, nn.Linear)


def gac_neuron() -> LIF:
    """Return Table 4's neuron, as the configs of GAC have it."""
    return build('cifar10/gac-ms-r18-t6_1xb64-250e_cifar10').backbone.stem.neuron


@pytest.mark.parametrize(('name', 'row'), SEW_FILES.items())
def test_network_is_the_sew_papers(name: str, row: tuple[Any, ...]) -> None:
    """c32k3s1-BN-IF-{{SEW Block (c32)}*2-MPk2s2}*5-FC10 (A.5)."""
    family, surrogate = row
    model = build(name)
    backbone = model.backbone
    assert type(backbone) is PooledResNet
    assert backbone.family is FAMILIES[family]
    assert [len(stage.block) for stage in backbone.stages] == [2] * 5
    blocks = [block for stage in backbone.stages for block in stage.block]
    assert {unit.conv.out_channels for block in blocks for unit in block.branch} == {32}
    assert [type(d).__name__ for d in model.neck[0].decoders] == ['Rate']
    neurons = [m for m in backbone.modules() if isinstance(m, IF)]
    # the stem's and two a block
    assert len(neurons) == 21
    assert {n.dynamics for n in neurons} == {Dynamics(1.0, 0.0, True, surrogate)}


@pytest.mark.parametrize(
    'name',
    ['cifar10/gac-ms-r18-t2_1xb64-250e_cifar10', next(iter(SEW_FILES))],
)
def test_weights_start_as_in_the_authors_code(name: str) -> None:
    """PyTorch's own, and no block is the identity.

    GAC's norms start at 1, its code's threshold; here both are 0.5.
    """
    torch.manual_seed(0)
    model = files.build(cached(name))
    fresh = model.head.fc.weight.detach().clone()
    model.init_weights()
    assert torch.equal(model.head.fc.weight, fresh)
    start = 0.5 if name in GAC_FILES else 1.0
    for module in model.modules():
        if isinstance(module, nn.Conv2d):
            weight = module.weight.detach()
            bound = weight[0].numel() ** -0.5
            assert 0.9 * bound < weight.abs().max() <= bound
        if isinstance(module, nn.BatchNorm2d):
            assert (module.weight == start).all()
            assert not module.bias.any()


@pytest.mark.parametrize(('name', 'millions'), PARAMETERS.items())
def test_number_of_parameters(name: str, millions: float) -> None:
    counted = sum(parameter.numel() for parameter in build(name).parameters()) / 1e6
    # GAC's table drops the third digit: 12.679 M are its 12.67 M
    cut = name in GAC_FILES
    shown = math.floor(100 * counted) / 100 if cut else round(counted, 2)
    assert shown == millions


def preprocessor(name: str) -> nn.Module:
    """Return what a config's model does to images and labels."""
    cfg = deepcopy(cached(name))
    narrow(cfg)
    return files.build(cfg).data_preprocessor


def batch(images: Tensor) -> dict[str, Any]:
    samples = [DataSample().set_gt_label(label) for label in range(len(images))]
    return dict(inputs=images, data_samples=samples)


def test_cutmix_mixes_about_half_of_the_training_batches() -> None:
    name = 'cifar10/gac-ms-r18-t2_1xb64-250e_cifar10'
    images = torch.randint(0, 256, (4, 3, 32, 32))
    prepare = preprocessor(name)
    plain = prepare(batch(images))['inputs']
    mixed = 0
    for _ in range(40):
        prepared = prepare(batch(images), training=True)
        inputs = prepared['inputs']
        scores = torch.stack([s.gt_score for s in prepared['data_samples']])
        assert torch.allclose(scores.sum(1), torch.ones(4))
        if torch.equal(inputs, plain):
            assert torch.equal(scores, torch.eye(4, 10))
        else:
            mixed += 1
            # as much of another label as there is of another image
            changed = (inputs != plain).any(1).float().mean((1, 2))
            foreign = 1 - scores.diagonal()
            assert torch.allclose(changed, foreign, atol=0.01)
    assert 8 < mixed < 32


# Published statistics of the training images' pixels, of 255.
MEAN = {10: (0.4914, 0.4822, 0.4465), 100: (0.5071, 0.4865, 0.4409)}
STD = {10: (0.2470, 0.2435, 0.2616), 100: (0.2673, 0.2564, 0.2762)}


@pytest.mark.parametrize('classes', [10, 100])
def test_images_get_zero_mean_and_unit_variance(classes: int) -> None:
    """Section 5.1.1 of the SG paper."""
    name = f'cifar{classes}/sg-r18-asd_1xb32-amp-200e_cifar{classes}'
    mean = torch.tensor(MEAN[classes]).view(1, 3, 1, 1) * 255
    std = torch.tensor(STD[classes]).view(1, 3, 1, 1) * 255
    inputs = preprocessor(name)(batch(torch.cat([mean, mean + std])))['inputs']
    assert torch.allclose(inputs[0], torch.zeros(3, 1, 1), atol=2e-3)
    assert torch.allclose(inputs[1], torch.ones(3, 1, 1), atol=2e-3)
