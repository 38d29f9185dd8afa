"""The event configs against the SEW and SG papers, see ``event_papers.py``."""

import functools
import re
from typing import Any

import pytest
import torch
from mmengine.config import Config
from mmengine.registry import PARAM_SCHEDULERS
from torch import nn
from torch.optim import lr_scheduler

from mmsnn.models import FAMILIES, PLIF
from mmsnn.models.neurons import ATan
from test_configs import files
from test_configs.event_papers import PAPERS
from test_configs.files import CONFIGS, shared

FOLDERS = ('cifar10_dvs', 'dvs128_gesture')


def config(name: str) -> Config:
    return shared(CONFIGS / f'{name}.py')


@functools.cache
def build(name: str) -> nn.Module:
    return files.build(config(name))


def pipeline_of(cfg: Config, split: str) -> list[Any]:
    return cfg[f'{split}_dataloader'].dataset.pipeline


def test_every_event_config_is_in_the_table() -> None:
    paths = [path for name in FOLDERS for path in (CONFIGS / name).glob('*.py')]
    assert {f'{path.parent.name}/{path.stem}' for path in paths} == PAPERS.keys()


@pytest.mark.parametrize('name', PAPERS)
def test_network_is_the_papers(name: str) -> None:
    row, model = PAPERS[name], build(name)
    assert model.backbone.family is FAMILIES[row.family]
    assert model.backbone.wide is row.wide
    assert model.backbone.out_indices == (6,)
    assert model.backbone.zero_init_residual is False
    # SEW, Table 5 and 6: with the linear layer of 11 or 10 classes
    parameters = sum(parameter.numel() for parameter in model.parameters())
    assert f'{parameters / 1e6:.2f}' == row.parameters
    (decoder,) = model.neck[0].decoders
    assert type(decoder).__name__ == 'Rate'
    assert model.head.fc.out_features == row.classes
    assert model.backbone.num_steps == decoder.num_steps == row.steps


@pytest.mark.parametrize('name', PAPERS)
def test_neurons_are_the_papers(name: str) -> None:
    """SEW, A.1: V_th 1, V_reset 0, detached reset, alpha 2; SG, Section 5: tau 2."""
    model = build(name)
    neurons = [m for m in model.modules() if isinstance(m, PLIF)]
    # the stem's, two a block and, in the wide net, one where the width changes
    assert len(neurons) == 15 + PAPERS[name].wide
    for neuron in neurons:
        assert neuron.decay().item() == pytest.approx(1 / 2)
        dynamics = neuron.dynamics
        assert (dynamics.v_threshold, dynamics.v_reset) == (1, 0)
        assert dynamics.detach_reset is True
        assert dynamics.surrogate == ATan(alpha=2.0)


@pytest.mark.parametrize('name', PAPERS)
def test_weights_start_as_pytorchs(name: str) -> None:
    """As in the authors' code: uniform, with a bound of 1 / sqrt(fan in)."""
    model = build(name)
    torch.manual_seed(0)
    fresh = model.head.fc.weight.detach().clone()
    model.init_weights()
    assert torch.equal(model.head.fc.weight, fresh)
    convs = [m for m in model.modules() if isinstance(m, nn.Conv2d)]
    assert len(convs) == 15 + PAPERS[name].wide
    for conv in convs:
        weight = conv.weight.detach()
        bound = weight[0].numel() ** -0.5
        assert 0.9 * bound < weight.abs().max() <= bound
        assert weight.std() == pytest.approx(bound / 3**0.5, rel=0.1)


@pytest.mark.parametrize('name', PAPERS)
def test_training_is_the_papers(name: str) -> None:
    row, cfg = PAPERS[name], config(name)
    assert cfg.train_cfg.max_epochs == row.epochs
    assert cfg.train_dataloader.batch_size == row.batch
    assert cfg.auto_scale_lr.base_batch_size == row.batch
    # SEW, A.1; SG, Section 5 and Table 2 (weight decay)
    assert cfg.optim_wrapper.type == 'AmpOptimWrapper'
    assert cfg.optim_wrapper.optimizer == dict(
        type='SGD', lr=row.lr, momentum=0.9, weight_decay=0
    )
    assert cfg.model.head.loss.type == 'CrossEntropyLoss'


@pytest.mark.parametrize('name', PAPERS)
def test_learning_rates_are_the_papers(name: str) -> None:
    """SEW, Table 7; SG, Table 2: epoch by epoch as PyTorch's schedulers have them."""
    row, cfg = PAPERS[name], config(name)

    def optimizer() -> torch.optim.Optimizer:
        return torch.optim.SGD([nn.Parameter(torch.zeros(1))], lr=row.lr)

    theirs: lr_scheduler.LRScheduler
    if row.classes == 11:
        theirs = lr_scheduler.StepLR(optimizer(), step_size=64, gamma=0.1)
    else:
        theirs = lr_scheduler.CosineAnnealingLR(optimizer(), T_max=64)
    own = optimizer()
    (scheduler,) = cfg.param_scheduler
    assert scheduler.by_epoch is True
    ours = PARAM_SCHEDULERS.build(scheduler, default_args=dict(optimizer=own))
    for _ in range(row.epochs):
        (wanted,) = theirs.get_last_lr()
        assert own.param_groups[0]['lr'] == pytest.approx(wanted, abs=1e-12)
        theirs.optimizer.step()
        theirs.step()
        own.step()
        ours.step()


@pytest.mark.parametrize('name', PAPERS)
def test_frames_are_the_papers(name: str) -> None:
    row, cfg = PAPERS[name], config(name)
    for split in ('train', 'val', 'test'):
        assert pipeline_of(cfg, split)[0] == dict(
            type='mmsnn.LoadEventFrames', num_steps=row.steps
        )
    kinds = ['mmsnn.LoadEventFrames', 'mmpretrain.PackInputs']
    assert [step.type for step in pipeline_of(cfg, 'test')] == kinds
    if row.train_steps != row.steps:
        kinds.insert(1, 'mmsnn.RandomTemporalDelete')
        assert pipeline_of(cfg, 'train')[1].num_keep == row.train_steps
        (hook,) = cfg.custom_hooks
        assert hook == dict(type='mmsnn.TrainStepsHook', train_steps=row.train_steps)
    else:
        assert not cfg.get('custom_hooks')
    assert [step.type for step in pipeline_of(cfg, 'train')] == kinds
    # 1176 gestures in the authors' 74 batches; theirs of CIFAR10-DVS are whole
    assert cfg.train_dataloader.drop_last is (row.classes == 10)
    assert cfg.train_dataloader.dataset.split == 'train'
    assert cfg.test_dataloader.dataset.split == 'test'
    assert 'save_best' not in cfg.default_hooks.checkpoint


@pytest.mark.parametrize('folder', FOLDERS)
def test_the_page_has_the_papers_accuracies(folder: str) -> None:
    page = (CONFIGS / folder / 'README.md').read_text(encoding='utf-8')
    rows = dict(re.findall(r'^\| \[`.*?`\]\((.*?)\)(.*)$', page, re.MULTILINE))
    wanted = {name: row for name, row in PAPERS.items() if name.startswith(folder)}
    assert {f'{folder}/{name}' for name in rows} == {f'{name}.py' for name in wanted}
    for name, row in wanted.items():
        text = rows[name.partition('/')[2] + '.py']
        accuracy = '-' if row.accuracy is None else f'{row.accuracy} %'
        assert f'| {accuracy}' in text
        assert f'| {row.lr if row.classes == 11 else row.steps} |' in text
    assert 'not results of the configs here' in page
