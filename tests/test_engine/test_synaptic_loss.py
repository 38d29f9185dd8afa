"""The loss on accumulations against the counter, and its effect on training."""

from types import SimpleNamespace

import pytest
import torch
from torch import nn

from mmsnn.analysis import OperationCounter
from mmsnn.engine import SynapticOperationsLossHook
from mmsnn.engine.hooks.synaptic_loss import SynapticOperations
from mmsnn.models import ResNetSNN


def make(**neuron) -> nn.Module:
    torch.manual_seed(0)
    model = ResNetSNN(
        10,
        'PA-A',
        base_channels=4,
        num_steps=2,
        neuron=dict(type='ILIF', **neuron),
        out_indices=(0, 3),
    )
    model.init_weights()
    return model.train()


@pytest.mark.parametrize('neuron', [{}, dict(max_value=1), dict(normalize=True)])
def test_counts_what_the_counter_counts(neuron: dict) -> None:
    model, image = make(**neuron), torch.randn(2, 3, 40, 36)
    operations = SynapticOperations(model)
    model(image)
    operations.remove()
    with OperationCounter(model) as counter:
        model(image)
    layers = [x for x in counter.result().layers if x.part == 'backbone']
    exact = sum(
        2 * (x.mean.binary.accumulations + x.mean.integer.accumulations) for x in layers
    )
    assert exact > 0
    assert operations.total.item() == pytest.approx(exact, rel=1e-5)
    operations.total.backward()
    # the last neurons feed no layer that is counted
    silent = [n for n, p in model.named_parameters() if p.grad is None]
    assert all(n.startswith('stages.3') for n in silent)


class WithLosses(nn.Module):
    """A backbone that returns losses, as a detector does."""

    def __init__(self) -> None:
        super().__init__()
        self.backbone = make()

    def forward(self, inputs: torch.Tensor, mode: str = 'loss'):
        outs = self.backbone(inputs)
        return dict(loss=outs[0].sum() * 0) if mode == 'loss' else outs


def test_training_spends_fewer() -> None:
    model, image = WithLosses(), torch.randn(2, 3, 32, 32)
    hook = SynapticOperationsLossHook(target=1e3)
    hook.before_train(SimpleNamespace(model=model))
    optimizer = torch.optim.SGD(model.parameters(), lr=1e-4)
    spent = []
    for _ in range(4):
        losses = model(image, mode='loss')
        n = losses['million_accumulations'] * 1e6
        assert losses['loss_accumulations'].item() == pytest.approx(
            0.1 * (n.item() / 1e3 - 1) ** 2, rel=1e-4
        )
        optimizer.zero_grad()
        losses['loss_accumulations'].backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        for group in optimizer.param_groups:
            group['lr'] = 0.1
        optimizer.step()
        spent.append(n.item())
    assert spent[-1] < spent[0]
    assert isinstance(model(image, mode='tensor'), tuple)
    hook.after_train(SimpleNamespace(model=model))
    assert set(model(image)) == {'loss'}
    assert not any(m._forward_hooks for m in model.modules())


def test_no_charge_below_the_target() -> None:
    model = WithLosses()
    hook = SynapticOperationsLossHook(target=1e12)
    hook.before_train(SimpleNamespace(model=model))
    assert model(torch.randn(2, 3, 32, 32))['loss_accumulations'] == 0


def test_mistakes() -> None:
    for name in ('target', 'weight'):
        with pytest.raises(ValueError, match=f'{name} must be positive, but got 0'):
            SynapticOperationsLossHook(**{'target': 1, name: 0})
    hook = SynapticOperationsLossHook(target=1)
    with pytest.raises(ValueError, match='no spiking neurons'):
        hook.before_train(SimpleNamespace(model=nn.Conv2d(1, 1, 1)))
