"""Norms of gradients in a run's log and visualisation backends."""

import json
import math
from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path
from typing import Any

import pytest
import torch
from mmengine.model import BaseModel
from mmengine.runner import Runner
from test_tools.conftest import separate_run
from torch import Tensor, nn
from torch.utils.data import Dataset

from mmsnn.analysis.gradients.gradient_flow import GradientFlow
from mmsnn.engine.hooks.gradient_flow import GradientFlowHook, geometric_mean
from mmsnn.models import ResNetSNN
from mmsnn.models.backbones.resnet import Architecture
from mmsnn.models.residual import BasicBlock
from mmsnn.utils.errors import UserError

BLOCKS = ['backbone.stages.0.0', 'backbone.stages.0.1']
ITERATIONS = 6


class Images(Dataset):
    """Random images, the same at every call."""

    def __len__(self) -> int:
        return 2 * ITERATIONS

    def __getitem__(self, index: int) -> dict[str, Tensor]:
        generator = torch.Generator().manual_seed(index)
        return dict(inputs=torch.randn(3, 8, 8, generator=generator))


class Model(BaseModel):
    """A backbone whose features are to be small; the loss can fail."""

    def __init__(self, fail_at: int | None = None) -> None:
        super().__init__()
        torch.manual_seed(0)
        depth = Architecture(BasicBlock, (2,), (1,))
        self.backbone = ResNetSNN(
            depth,
            'SEW-ADD',
            num_steps=2,
            base_channels=4,
            strides=(1,),
            out_indices=(0,),
            stem='cifar',
        )
        self.calls = 0
        self.fail_at = fail_at
        self.hooks_seen: list[bool] = []

    def init_weights(self) -> None:
        """Stay as built, so that all models are alike."""

    def forward(self, inputs: Tensor, mode: str = 'loss') -> dict[str, Tensor]:
        self.calls += 1
        self.hooks_seen.append(self.watched())
        if self.calls == self.fail_at:
            raise ArithmeticError('the loss fails')
        return dict(loss=self.backbone(inputs)[0].float().square().mean())

    def watched(self) -> bool:
        return any(module._forward_hooks for module in self.modules())


@pytest.fixture
def train(tmp_path: Path) -> Iterator[Callable[..., Runner]]:
    """Train a model for a few iterations with the hook."""
    number = count()

    def run(model: nn.Module, interval: int = 3, **settings: Any) -> Runner:
        loader = dict(
            dataset=Images(),
            batch_size=2,
            num_workers=0,
            collate_fn=dict(type='default_collate'),
            sampler=dict(type='DefaultSampler', shuffle=False),
        )
        runner = Runner(
            **(
                dict(
                    model=model,
                    work_dir=str(tmp_path),
                    train_dataloader=loader,
                    train_cfg=dict(by_epoch=False, max_iters=ITERATIONS),
                    optim_wrapper=dict(optimizer=dict(type='SGD', lr=0.0)),
                    custom_hooks=[
                        dict(type='mmsnn.GradientFlowHook', interval=interval)
                    ],
                    default_hooks=dict(logger=dict(type='LoggerHook', interval=1)),
                    experiment_name=f'{tmp_path.name}-{next(number)}',
                    log_level='ERROR',
                )
                | settings
            )
        )
        runner.train()
        return runner

    with separate_run():
        yield run


def read_scalars(folder: Path) -> list[dict[str, Any]]:
    (path,) = folder.glob('*/vis_data/scalars.json')
    lines = path.read_text(encoding='utf-8').splitlines()
    return [json.loads(line) for line in lines]


def expected_norms(iteration: int) -> list[float]:
    """Return the norms of an iteration; nothing learns, so that all start alike."""
    model = Model()
    batch = [Images()[2 * (iteration - 1) + i]['inputs'] for i in range(2)]
    with GradientFlow(model) as flow:
        model(torch.stack(batch))['loss'].backward()
    return [block.norm for block in flow.result().blocks]


def test_curves_and_log(train: Callable[..., Runner], tmp_path: Path) -> None:
    model = Model()
    runner = train(model)
    assert model.hooks_seen == [False, False, True] * 2
    assert not model.watched()
    scalars = read_scalars(tmp_path)
    curves = [line for line in scalars if f'gradient_norm/{BLOCKS[0]}' in line]
    assert [line['iter'] for line in curves] == [3, 6]
    for line in curves:
        norms = [line[f'gradient_norm/{name}'] for name in BLOCKS]
        assert norms == pytest.approx(expected_norms(line['iter']), rel=1e-4)
        assert line['gradient_norm/gain'] == pytest.approx(norms[0] / norms[1])
    history = runner.message_hub.get_scalar('train/gradient_norm')
    assert history.current() == pytest.approx(math.sqrt(math.prod(norms)), rel=1e-6)
    logged = [line['gradient_norm'] for line in scalars if 'gradient_norm' in line]
    assert logged[-1] == pytest.approx(history.current(), rel=1e-6)


def test_a_scaled_loss_counts_unscaled(
    train: Callable[..., Runner], tmp_path: Path
) -> None:
    class Scaler:
        """What is used of ``torch.amp.GradScaler``, which is off without a GPU."""

        scale_now = 1024.0

        def get_scale(self) -> float:
            return self.scale_now

    class Hook(GradientFlowHook):
        def before_train_iter(self, runner: Runner, *args: Any, **options: Any) -> None:
            scaler = Scaler()
            runner.optim_wrapper.loss_scaler = scaler
            super().before_train_iter(runner, *args, **options)
            scaler.scale_now = 1.0  # a step may change it

    train(Model(), custom_hooks=[Hook(3)])
    curves = [x for x in read_scalars(tmp_path) if f'gradient_norm/{BLOCKS[0]}' in x]
    norms = [curves[0][f'gradient_norm/{name}'] for name in BLOCKS]
    assert norms == pytest.approx([n / 1024 for n in expected_norms(3)], rel=1e-4)


def test_an_iteration_that_fails(train: Callable[..., Runner]) -> None:
    model, hook = Model(fail_at=2), GradientFlowHook(2)
    with pytest.raises(ArithmeticError):
        train(model, custom_hooks=[hook])
    model.calls, model.hooks_seen = 10, []
    hook.interval = ITERATIONS
    train(model, custom_hooks=[hook])
    assert model.hooks_seen == [False] * (ITERATIONS - 1) + [True]


def test_a_model_without_neurons(train: Callable[..., Runner]) -> None:
    class Plain(Model):
        def __init__(self) -> None:
            super().__init__()
            self.backbone = nn.Conv2d(3, 1, 1)

    with pytest.raises(UserError, match='no spiking neurons'):
        train(Plain())


def test_geometric_mean() -> None:
    assert geometric_mean([1e-8, 1e2]) == pytest.approx(1e-3)
    assert geometric_mean([0.0, 5.0]) == 0
    assert geometric_mean([math.inf, 5.0]) == math.inf
    assert math.isnan(geometric_mean([]))
