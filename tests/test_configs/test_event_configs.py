"""The event configs against the SEW and SG papers, and on files in the real formats.

SEW: Fang et al. 2021, *Deep residual learning in spiking neural networks*. SG: Zhang et
al. 2023, *Direct training high-performance spiking neural networks*.
"""

import functools
import re
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import torch
from mmengine.config import Config
from mmengine.registry import MODELS, PARAM_SCHEDULERS, DefaultScope
from mmengine.runner import Runner
from test_datasets.event_files import write_cifar10_dvs, write_dvs128_gesture
from test_tools.conftest import separate_run
from torch import nn
from torch.optim import lr_scheduler

from mmsnn.models import FAMILIES, PLIF
from mmsnn.models.neurons import ATan
from mmsnn.utils.cpu import without_amp
from test_configs import files
from test_configs.files import CONFIGS
from test_configs.runs import quick_first

FOLDERS = ('cifar10_dvs', 'dvs128_gesture')


class Row(NamedTuple):
    """What the papers say of one network."""

    family: str
    wide: bool
    parameters: str
    steps: int
    train_steps: int
    lr: float
    epochs: int
    batch: int
    classes: int
    accuracy: float | None
    """In percent; None where it is in a figure only."""


def gesture(family: str, lr: float, accuracy: float) -> Row:
    """SEW, Table 4 (accuracy), 5 (parameters), 7 (all else), 8 (lr) and A.2 (12 of 16).

    The networks of Table 4 have no more parameters than SEW ADD's 0.13 M.
    """
    return Row(family, False, '0.13', 16, 12, lr, 192, 16, 11, accuracy)


def whole(family: str, lr: float) -> Row:
    """SEW, Fig. 10: without random temporal delete."""
    return gesture(family, lr, 0)._replace(train_steps=16, accuracy=None)


def cifar(steps: int, accuracy: float) -> Row:
    """SEW, Tables 6 (T, parameters, accuracy) and 7; A.1: no random temporal delete."""
    return Row('SEW-ADD', True, '1.19', steps, steps, 0.01, 64, 16, 10, accuracy)


GESTURE = '1xb16-amp-192e_dvs128-gesture.py'
CIFAR = '1xb16-amp-64e_cifar10-dvs.py'
PAPERS = {
    f'dvs128_gesture/sew-add-7b_{GESTURE}': gesture('SEW-ADD', 0.001, 97.92),
    f'dvs128_gesture/sew-and-7b_{GESTURE}': gesture('SEW-AND', 0.03, 70.49),
    f'dvs128_gesture/sew-iand-7b_{GESTURE}': gesture('SEW-IAND', 0.063, 95.49),
    f'dvs128_gesture/spiking-7b_{GESTURE}': gesture('Spiking', 0.1, 90.97),
    f'dvs128_gesture/plain-7b_{GESTURE}': gesture('plain', 0.005, 91.67),
    f'dvs128_gesture/sew-add-7b-without-delete_{GESTURE}': whole('SEW-ADD', 0.001),
    f'dvs128_gesture/spiking-7b-without-delete_{GESTURE}': whole('Spiking', 0.1),
    f'dvs128_gesture/plain-7b-without-delete_{GESTURE}': whole('plain', 0.005),
    f'cifar10_dvs/sew-add-wide-7b-t4_{CIFAR}': cifar(4, 64.8),
    f'cifar10_dvs/sew-add-wide-7b-t8_{CIFAR}': cifar(8, 70.2),
    f'cifar10_dvs/sew-add-wide-7b-t16_{CIFAR}': cifar(16, 74.4),
    # SG, Tables 2 and 3 and Section 5.1.4 (four of 16 slices deleted)
    'cifar10_dvs/sg-7b-rate_1xb8-amp-64e_cifar10-dvs.py': Row(
        'SG-BSG', False, '0.13', 16, 12, 0.01, 64, 8, 10, 70.6
    ),
}


def load(name: str) -> Config:
    return files.load(CONFIGS / name)


@functools.cache
def build(name: str) -> nn.Module:
    cfg = load(name)
    with DefaultScope.overwrite_default_scope(cfg.default_scope):
        return MODELS.build(cfg.model)


def pipeline_of(cfg: Config, split: str) -> list[Any]:
    return cfg[f'{split}_dataloader'].dataset.pipeline


def test_every_event_config_is_in_the_table() -> None:
    paths = [path for name in FOLDERS for path in (CONFIGS / name).glob('*.py')]
    assert {f'{path.parent.name}/{path.name}' for path in paths} == PAPERS.keys()


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
    row, cfg = PAPERS[name], load(name)
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
    row, cfg = PAPERS[name], load(name)

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
    row, cfg = PAPERS[name], load(name)
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
    assert {f'{folder}/{name}' for name in rows} == wanted.keys()
    for name, row in wanted.items():
        text = rows[name.partition('/')[2]]
        accuracy = '-' if row.accuracy is None else f'{row.accuracy} %'
        assert f'| {accuracy}' in text
        assert f'| {row.lr if row.classes == 11 else row.steps} |' in text
    assert 'not results of the configs here' in page


WRITERS = {'cifar10_dvs': write_cifar10_dvs, 'dvs128_gesture': write_dvs128_gesture}


@functools.cache
def written(folder: str, parent: Path) -> Path:
    root = parent / folder
    WRITERS[folder](root)
    return root


QUICK = [f'cifar10_dvs/sew-add-wide-7b-t4_{CIFAR}']


@pytest.mark.parametrize('name', quick_first(PAPERS, QUICK))
def test_an_epoch_and_an_evaluation(
    name: str, tmp_path: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """The whole network on a few files in the data set's own format."""
    row, cfg = PAPERS[name], load(name)
    folder = name.partition('/')[0]
    root = written(folder, tmp_path_factory.getbasetemp())
    assert cfg.train_dataloader.dataset.data_root == f'data/{folder}/'
    # the first files of CIFAR10-DVS have fewer events than frames
    for split, samples in (('train', [20, 21, 22, 23]), ('val', [8, 9]), ('test', [9])):
        loader = cfg[f'{split}_dataloader']
        loader.update(batch_size=2, num_workers=0, persistent_workers=False)
        loader.dataset.update(data_root=str(root), indices=samples)
        pipeline_of(cfg, split)[0].cache_dir = str(tmp_path)
    cfg.merge_from_dict(
        {
            'train_cfg.max_epochs': 1,
            'work_dir': str(tmp_path),
            'experiment_name': f'{Path(name).stem}-{tmp_path.name}',
            'log_level': 'WARNING',
            'randomness.seed': 0,
        }
    )
    without_amp(cfg)
    with separate_run():
        runner = Runner.from_cfg(cfg)
        backbone, shapes = runner.model.backbone, []
        backbone.register_forward_hook(
            lambda module, inputs, outputs: shapes.append(
                (module.training, inputs[0].shape[1], outputs[0].shape[-3:])
            )
        )
        before = {n: p.clone() for n, p in runner.model.named_parameters()}
        runner.train()
        metrics = runner.test()
    assert runner.iter == 2
    # at 128 pixels the last stage is of one
    size = (128 if row.wide else 32, 1, 1)
    tested = [(False, row.steps, size)]
    # an epoch, its evaluation, and the test
    assert shapes == [(True, row.train_steps, size)] * 2 + tested * 2
    assert metrics.keys() == {'accuracy/top1', 'accuracy/top5'}
    assert 0 <= metrics['accuracy/top1'] <= metrics['accuracy/top5'] <= 100
    unchanged = [
        n for n, p in runner.model.named_parameters() if torch.equal(before[n], p)
    ]
    assert unchanged == []
    assert (tmp_path / 'epoch_1.pth').is_file()
