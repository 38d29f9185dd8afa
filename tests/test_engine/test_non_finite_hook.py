"""A run stops when a value is NaN or infinite, and says which and when."""

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
import torch.distributed as dist
from mmengine.config import Config
from mmengine.hooks import EMAHook
from mmengine.model import BaseModel, ImgDataPreprocessor, MMDistributedDataParallel
from mmengine.optim import OptimWrapper
from mmengine.registry import HOOKS
from mmengine.runner import Runner
from mmpretrain.structures import DataSample
from test_tools.tiny_coco import CONFIGS
from torch import Tensor, nn
from torch.utils.data import Dataset

from mmsnn.engine import NonFiniteHook
from mmsnn.engine.hooks import non_finite
from mmsnn.utils.errors import UserError
from mmsnn.utils.finite import first_non_finite_module, learned_state, non_finite_names

from .test_train_steps import Frames, make_loader, make_model
from .watching import registered

ITERATIONS = 6
Make = Callable[..., Runner]


class Fault(nn.Module):
    """Passes its input on, from some call on with NaN, or with NaN gradients."""

    def __init__(self, kind: str = 'none', at: int = 3) -> None:
        super().__init__()
        self.kind, self.at, self.calls = kind, at, 0

    def forward(self, x: Tensor) -> Tensor:
        self.calls += self.training
        if self.calls < self.at:
            return x
        if self.kind == 'output':
            return x * math.nan
        if self.kind == 'gradient':
            x.register_hook(lambda gradient: gradient * math.nan)
        return x


class Model(BaseModel):
    """Two layers with a fault between them; ``hide`` turns NaN into a finite loss."""

    def __init__(self, fault: Fault | None = None, hide: bool = False) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.first = nn.Sequential(nn.Conv2d(2, 3, 1), nn.BatchNorm2d(3))
        self.fault = fault or Fault()
        self.second = nn.Conv2d(3, 2, 1)
        self.hide = hide
        self.modes: list[str] = []

    def forward(
        self, inputs: Tensor, data_samples: Any = None, mode: str = 'tensor'
    ) -> dict[str, Any]:
        self.modes.append(mode)
        x = self.second(self.fault(self.first(torch.stack(list(inputs)))))
        if self.hide:
            x = x.nan_to_num()
        # an accuracy is no loss: of no samples it may be NaN
        accuracy = torch.tensor(math.nan)
        return dict(loss_a=x.square().mean(), losses_b=[x.mean()], acc=accuracy)


class Images(Dataset):
    """Random images, of which one may have a value that is not finite."""

    def __init__(self, bad: int | None = None, value: float = math.nan) -> None:
        self.inputs = torch.rand(2 * ITERATIONS, 2, 4, 4)
        if bad is not None:
            self.inputs[bad, 1, 2, 3] = value

    def __len__(self) -> int:
        return len(self.inputs)

    def __getitem__(self, index: int) -> dict[str, Any]:
        sample = DataSample(metainfo=dict(img_path=None, sample_idx=index))
        return dict(inputs=self.inputs[index], data_samples=sample)


@pytest.fixture
def train(make_runner: Make) -> Callable[..., Runner]:
    """Train a model for an epoch with the hook."""

    def run(model: nn.Module, dataset: Dataset | None = None, **settings: Any):
        hook = settings.pop('hook', NonFiniteHook())
        loader = make_loader(dataset or Images())
        settings.setdefault('visualizer', None)
        runner = make_runner(model, [hook], 1, train_dataloader=loader, **settings)
        runner.train()
        return runner

    return run


def is_finite(model: nn.Module) -> bool:
    return not non_finite_names(learned_state(model))


def test_a_finite_run_is_left_alone(train: Callable[..., Runner]) -> None:
    model = Model()
    runner = train(model)
    assert runner.iter == ITERATIONS
    assert registered(model) == 0


def test_first_module_with_such_an_output_is_named(train) -> None:
    model = Model(Fault('output'))
    with pytest.raises(UserError) as caught:
        train(model)
    message = str(caught.value)
    assert 'in iteration 3: loss_a, losses_b are not finite' in message
    assert 'fault (Fault) is the first module' in message
    assert 'input is finite' in message
    # before the optimizer's step
    assert is_finite(model)
    assert registered(model) == 0


def test_parameters_of_a_gradient_are_named_in_the_next_iteration(train) -> None:
    with pytest.raises(UserError) as caught:
        train(Model(Fault('gradient')))
    message = str(caught.value)
    assert 'iteration 4' in message
    assert 'first.0.weight, first.0.bias, first.1.weight and 1 more' in message
    assert 'second' not in message


@pytest.mark.parametrize(('interval', 'iteration'), [(1, 3), (2, 4)])
def test_hidden_parameters_are_found_at_an_interval(
    interval: int, iteration: int, train
) -> None:
    model = Model(Fault('gradient'), hide=True)
    message = f'after iteration {iteration}, first.0.weight'
    with pytest.raises(UserError, match=message):
        train(model, hook=NonFiniteHook(interval))


@pytest.mark.parametrize('averaged', [False, True])
def test_no_checkpoint_is_written_of_them(
    averaged: bool, train, tmp_path: Path
) -> None:
    hooks = [NonFiniteHook(), *([EMAHook()] if averaged else [])]
    with pytest.raises(UserError, match='no checkpoint.*state_dict (module.)?first.0'):
        train(Model(Fault('gradient'), hide=True), custom_hooks=hooks)
    assert not list(tmp_path.glob('*.pth'))


@pytest.mark.parametrize('split', ['val', 'test'])
def test_heads_are_checked_in_evaluations(make_runner: Make, split: str) -> None:
    model = make_model()
    evaluation: dict[str, Any] = {
        f'{split}_dataloader': make_loader(Frames(4, 2, 8, 8)),
        f'{split}_cfg': {},
        f'{split}_evaluator': dict(type='Accuracy', topk=(1,)),
    }
    runner = make_runner(model, [NonFiniteHook()], **evaluation)
    getattr(runner, split)()
    assert registered(model) == 0
    # finite weights, whose product is NaN
    model.head.register_forward_pre_hook(lambda head, args: ((args[0][0] * math.nan,),))
    with pytest.raises(UserError, match=r'the output of head \(.*NaN'):
        getattr(runner, split)()


@pytest.mark.parametrize('value', [math.nan, math.inf, -math.inf])
def test_samples_are_named(value: float, train) -> None:
    model = Model()
    message = 'in iteration 4, inputs of sample_idx=7 are not finite'
    with pytest.raises(UserError, match=message):
        train(model, Images(7, value))
    assert is_finite(model)


def test_samples_of_a_test_are_named(make_runner: Make) -> None:
    broken = Frames(4, 2, 8, 8)
    broken.inputs[3, 0, 0, 0, 0] = math.inf
    evaluation = dict(
        test_dataloader=make_loader(broken),
        test_cfg={},
        test_evaluator=dict(type='Accuracy', topk=(1,)),
    )
    runner = make_runner(make_model(), [NonFiniteHook()], **evaluation)
    message = 'in test batch 2, inputs of sample 1 of the batch are not finite'
    with pytest.raises(UserError, match=message):
        runner.test()


@pytest.mark.parametrize('name', ['second.bias', 'first.1.running_var'])
def test_a_model_that_begins_so_is_not_trained(name: str, train) -> None:
    model = Model()
    model.state_dict()[name][1] = math.nan
    with pytest.raises(UserError, match=f'before training, {name} is not finite'):
        train(model)


@pytest.mark.parametrize(
    ('name', 'value'),
    [('std', 0.0), ('std', -1.0), ('std', math.nan), ('mean', math.inf)],
)
def test_normalisation_is_checked(name: str, value: float, train) -> None:
    model = Model()
    options = dict(mean=[0.5], std=[1.0]) | {name: [value]}
    model.data_preprocessor = ImgDataPreprocessor(**options)
    with pytest.raises(UserError, match=rf'data_preprocessor.{name} must be finite'):
        train(model)


def test_losses_are_checked_where_steps_are_rare(train) -> None:
    optimizer = dict(type='SGD', lr=0.1)
    wrapper = dict(optimizer=optimizer, accumulative_counts=4)
    with pytest.raises(UserError, match='in iteration 3: .*fault'):
        train(Model(Fault('output')), optim_wrapper=wrapper)


class Scaling(OptimWrapper):
    """AmpOptimWrapper's steps, on a CPU."""

    def __init__(self, scale: float, **options: Any) -> None:
        super().__init__(**options)
        self.loss_scaler = torch.amp.GradScaler('cpu', init_scale=scale)

    def scale_loss(self, loss: Tensor) -> Tensor:
        return self.loss_scaler.scale(loss)

    def step(self, **kwargs: Any) -> None:
        self.loss_scaler.step(self.optimizer)
        self.loss_scaler.update()


def make_scaling(model: nn.Module, scale: float) -> Scaling:
    return Scaling(scale, optimizer=torch.optim.SGD(model.parameters(), lr=0.1))


def test_steps_that_mixed_precision_skips_are_no_error(train) -> None:
    model = Model()
    wrapper = make_scaling(model, 2.0**127)
    assert train(model, optim_wrapper=wrapper).iter == ITERATIONS
    assert wrapper.loss_scaler.get_scale() < 2.0**127


def test_losses_are_checked_where_the_step_is_skipped(train) -> None:
    model = Model(Fault('output'))
    with pytest.raises(UserError, match='in iteration 3: .*fault'):
        train(model, optim_wrapper=make_scaling(model, 1.0))


def test_mixed_precision_that_never_steps_is_an_error(train) -> None:
    model = Model(Fault('gradient', at=1))
    wrapper = make_scaling(model, 2.0**-14)
    message = 'after iteration 3, the loss scale .* 7.63e-06'
    with pytest.raises(UserError, match=message):
        train(model, optim_wrapper=wrapper, hook=NonFiniteHook(3))


def test_inside_a_distributed_wrapper(train, tmp_path: Path) -> None:
    dist.init_process_group(
        'gloo', init_method=f'file://{tmp_path}/store', rank=0, world_size=1
    )
    try:
        wrapped = MMDistributedDataParallel(Model(Fault('output')))
        with pytest.raises(UserError, match=r'in iteration 3: .*; fault \(Fault\)'):
            train(wrapped)
    finally:
        dist.destroy_process_group()


def test_one_of_several_processes_runs_alone(
    train, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Up to the outputs: losses, and synchronised norms, may wait for the others."""
    monkeypatch.setattr(non_finite, 'get_world_size', lambda: 2)
    model = Model(Fault('output'))
    with pytest.raises(UserError, match=r'in iteration 3: .*; fault \(Fault\)'):
        train(model)
    assert model.modes == ['loss'] * 3 + ['tensor']
    assert non_finite._is_local(model)
    assert not non_finite._is_local(nn.Sequential(model, nn.SyncBatchNorm(2)))


def test_what_an_interrupted_iteration_left_is_removed(train) -> None:
    class Stop(Exception):
        pass

    class Stopping(Fault):
        def forward(self, x: Tensor) -> Tensor:
            raise Stop

    model, hook = Model(Stopping()), NonFiniteHook()
    with pytest.raises(Stop):
        train(model, hook=hook)
    model.fault = Fault()
    train(model, hook=hook)
    assert registered(model) == 0


def test_a_batch_that_cannot_be_run_again_still_stops(train) -> None:
    class Once(Fault):
        def forward(self, x: Tensor) -> Tensor:
            if self.calls == self.at:
                raise ArithmeticError
            return super().forward(x)

    with pytest.raises(UserError, match='in iteration 3: .*again failed .Arithmetic'):
        train(Model(Once('output')))


def test_names_of_tensors() -> None:
    """In every type; integers and what is large or empty are no matter."""
    nan, inf = torch.tensor([1, math.nan]), torch.tensor([-math.inf, 1])
    named = {
        'nan': nan,
        'inf': inf,
        'half': inf.half(),
        'bf16': nan.bfloat16(),
        'double': inf.double(),
        'complex': torch.complex(nan, nan),
        'large': torch.full((99,), 3e38),
        'integers': torch.tensor([2**62]),
        'empty': torch.empty(0, 3),
    }
    assert non_finite_names(named.items()) == list(named)[:6]
    assert non_finite_names([]) == []


def test_innermost_module_is_named_with_what_it_was_fed() -> None:
    layers = nn.Sequential(nn.Linear(2, 2), nn.Sequential(nn.ReLU()), nn.Flatten())
    x = torch.full((1, 2), math.nan)
    said = first_non_finite_module(layers, lambda: layers(x))
    assert said is not None and said.startswith('0 (Linear)') and 'not finite' in said
    assert first_non_finite_module(layers, lambda: layers(torch.ones(1, 2))) is None
    assert registered(layers) == 0


@pytest.mark.parametrize('name', ['default_runtime', 'classification_runtime'])
def test_it_is_on_by_default(name: str) -> None:
    cfg = Config.fromfile(CONFIGS / '_base_' / f'{name}.py')
    assert isinstance(HOOKS.build(cfg.default_hooks.non_finite), NonFiniteHook)
