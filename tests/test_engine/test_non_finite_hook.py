"""A run stops when a value is NaN or infinite, and says which and when."""

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
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

from .small_runs import Frames, evaluation, make_loader, make_model, registered

ITERATIONS = 6
Make = Train = Callable[..., Runner]


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
def train(make_runner: Make) -> Train:
    """Train a model for an epoch with the hook."""

    def run(model: nn.Module, dataset: Dataset | None = None, **settings: Any):
        hook = settings.pop('hook', NonFiniteHook())
        loader = make_loader(dataset or Images())
        runner = make_runner(model, [hook], train_dataloader=loader, **settings)
        runner.train()
        return runner

    return run


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


class Once(Fault):
    """Fails when it is called again with what it failed at."""

    def forward(self, x: Tensor) -> Tensor:
        if self.calls == self.at:
            raise ArithmeticError
        return super().forward(x)


def normalised(**options: Any) -> Model:
    model = Model()
    options = dict(mean=[0.5], std=[1.0]) | options
    model.data_preprocessor = ImgDataPreprocessor(**options)
    return model


def broken(name: str) -> Model:
    model = Model()
    model.state_dict()[name][1] = math.nan
    return model


def output() -> Model:
    return Model(Fault('output'))


def hidden() -> Model:
    return Model(Fault('gradient'), hide=True)


AT_3 = 'in iteration 3: loss_a, losses_b are not finite ... fault (Fault)'
NAMED = ' is the first module ... input is finite'
BEFORE, VARIANCE = 'before training, ', 'first.1.running_var'
STD = 'data_preprocessor.std must be finite'
INPUTS = 'in iteration 4, inputs of sample_idx=7 are not finite'
# What is trained and how, and what is said of it; what lies between is at the dots.
STOPPED: dict[str, tuple[Callable[[], Model], dict[str, Any], str]] = {
    'an output': (output, {}, AT_3 + NAMED),
    'rare steps': (output, dict(accumulative_counts=4), AT_3),
    'a skipped step': (output, dict(scale=1.0), AT_3),
    'a gradient': (
        lambda: Model(Fault('gradient')),
        {},
        'iteration 4 ... first.0.weight, first.0.bias, first.1.weight and 1 more',
    ),
    'hidden': (hidden, dict(hook=1), 'after iteration 3, first.0.weight'),
    'hidden, interval 2': (hidden, dict(hook=2), 'after iteration 4, first.0.weight'),
    'no step': (
        lambda: Model(Fault('gradient', at=1)),
        dict(scale=2.0**-14, hook=3),
        'after iteration 3, the loss scale ... 7.63e-06',
    ),
    'NaN in a sample': (Model, dict(dataset=Images(7)), INPUTS),
    'inf in a sample': (Model, dict(dataset=Images(7, math.inf)), INPUTS),
    '-inf in a sample': (Model, dict(dataset=Images(7, -math.inf)), INPUTS),
    'a bias': (lambda: broken('second.bias'), {}, BEFORE + 'second.bias'),
    'a statistic': (lambda: broken(VARIANCE), {}, BEFORE + VARIANCE),
    'zero std': (lambda: normalised(std=[0.0]), {}, STD),
    'negative std': (lambda: normalised(std=[-1.0]), {}, STD),
    'NaN std': (lambda: normalised(std=[math.nan]), {}, STD),
    'inf mean': (lambda: normalised(mean=[math.inf]), {}, STD.replace('std', 'mean')),
    'again': (
        lambda: Model(Once('output')),
        {},
        'in iteration 3: ... again failed (Arithmetic',
    ),
}


@pytest.mark.parametrize('name', STOPPED)
def test_a_run_is_stopped(name: str, train: Train) -> None:
    """Before the optimizer's step, if a loss or a sample shows it."""
    make, settings, says = STOPPED[name]
    model, settings = make(), dict(settings)
    scale = settings.pop('scale', None)
    if scale:
        settings['optim_wrapper'] = make_scaling(model, scale)
    elif 'accumulative_counts' in settings:
        sgd = dict(type='SGD', lr=0.1)
        settings = dict(optim_wrapper=dict(optimizer=sgd, **settings))
    if 'hook' in settings:
        settings['hook'] = NonFiniteHook(settings['hook'])
    with pytest.raises(UserError) as caught:
        train(model, **settings)
    message = str(caught.value)
    assert not [part for part in says.split(' ... ') if part not in message], message
    assert name != 'a gradient' or 'second' not in message
    if says.startswith((AT_3, INPUTS)):
        assert not non_finite_names(learned_state(model))
        assert registered(model) == 0


@pytest.mark.parametrize('scale', [None, 2.0**127])
def test_a_finite_run_is_left_alone(scale: float | None, train: Train) -> None:
    """Steps that mixed precision skips are no error."""
    model = Model()
    settings = {} if scale is None else dict(optim_wrapper=make_scaling(model, scale))
    runner = train(model, **settings)
    assert runner.iter == ITERATIONS
    assert registered(model) == 0
    if scale:
        assert runner.optim_wrapper.loss_scaler.get_scale() < scale


@pytest.mark.parametrize('averaged', [False, True])
def test_no_checkpoint_is_written_of_them(
    averaged: bool, train: Train, tmp_path: Path
) -> None:
    hooks = [NonFiniteHook(), *([EMAHook()] if averaged else [])]
    with pytest.raises(UserError, match='no checkpoint.*state_dict (module.)?first.0'):
        train(hidden(), custom_hooks=hooks)
    assert not list(tmp_path.glob('*.pth'))


@pytest.mark.parametrize('split', ['val', 'test'])
def test_heads_are_checked_in_evaluations(make_runner: Make, split: str) -> None:
    model = make_model()
    runner = make_runner(model, [NonFiniteHook()], **evaluation())
    getattr(runner, split)()
    assert registered(model) == 0
    # finite weights, whose product is NaN
    model.head.register_forward_pre_hook(lambda head, args: ((args[0][0] * math.nan,),))
    with pytest.raises(UserError, match=r'the output of head \(.*NaN'):
        getattr(runner, split)()


def test_samples_of_a_test_are_named(make_runner: Make) -> None:
    frames = Frames(4, 2, 8, 8)
    frames.inputs[3, 0, 0, 0, 0] = math.inf
    runner = make_runner(make_model(), [NonFiniteHook()], **evaluation(frames))
    message = 'in test batch 2, inputs of sample 1 of the batch are not finite'
    with pytest.raises(UserError, match=message):
        runner.test()


def test_inside_a_distributed_wrapper(train: Train, one_process: None) -> None:
    with pytest.raises(UserError, match=r'in iteration 3: .*; fault \(Fault\)'):
        train(MMDistributedDataParallel(output()))


def test_one_of_several_processes_runs_alone(
    train: Train, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Up to the outputs: losses, and synchronised norms, may wait for the others."""
    monkeypatch.setattr(non_finite, 'get_world_size', lambda: 2)
    model = output()
    with pytest.raises(UserError, match=r'in iteration 3: .*; fault \(Fault\)'):
        train(model)
    assert model.modes == ['loss'] * 3 + ['tensor']
    assert non_finite._is_local(model)
    assert not non_finite._is_local(nn.Sequential(model, nn.SyncBatchNorm(2)))


def test_what_an_interrupted_iteration_left_is_removed(train: Train) -> None:
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
