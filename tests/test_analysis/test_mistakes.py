"""Mistakes of callers: what is said of each, a line a mistake."""

# ruff: noqa: E501 - a row is a line

from collections.abc import Callable
from functools import cache

import pytest
import torch
from mistakes import check_mistake
from mmengine.config import Config
from mmpretrain.models import LeNet5
from test_tools.tiny_coco import CONFIGS
from torch import nn

from mmsnn.analysis import (
    CountingRules,
    EnergyModel,
    FiringRates,
    GradCAM,
    OperationCounter,
    energy_pj,
    estimate_memory,
)
from mmsnn.analysis.anytime import StoppingRule
from mmsnn.analysis.coding.coding_dynamics import CodingDynamics
from mmsnn.analysis.gradients.gradient_flow import GradientFlow
from mmsnn.analysis.gradients.gradient_stability import GradientStability
from mmsnn.analysis.model_inputs import InputSource, build_model, make_batches
from mmsnn.analysis.recorders.attention_recorder import AttentionCapture
from mmsnn.analysis.recorders.spike_recorder import SpikeCapture, choose_neurons
from mmsnn.models import ResNetSNN, SGResNet

from .nets import TwoLayers, count

RANDOM = InputSource('random')


@cache
def net() -> SGResNet:
    return SGResNet(10, base_channels=4, num_steps=2)


def ann() -> ResNetSNN:
    return ResNetSNN(10, 'Spiking', num_steps=1, neuron=dict(type='mmsnn.ReLU'))


def digits(**changes: object) -> Config:
    cfg = Config.fromfile(CONFIGS / 'digits/sg-r10-asd_1xb64-30e_digits.py')
    cfg.merge_from_dict(changes)
    return cfg


def operations():
    return count(TwoLayers(), torch.rand(1, 1, 4, 4))


def call(collector, *shape: int) -> None:
    with collector:
        collector.model(torch.ones(shape))


def trace(*index: int) -> None:
    call(SpikeCapture(net(), 'stem', traces=[index]), 2, 3, 32, 32)


def two_of_three_steps() -> None:
    model = TwoLayers()
    model.neuron.forward = lambda x: x[:2]
    call(FiringRates(model), 3, 1, 2, 2)


# What is called, and how its error begins; what lies between is at the dots.
MISTAKES: list[tuple[Callable[[], object], str]] = [
    (lambda: StoppingRule(score=1.5), 'ValueError: score must be in ... but got 1.5'),
    (lambda: StoppingRule(iou=1.5), 'ValueError: iou must be in ... but got 1.5'),
    # models without what is measured
    (lambda: FiringRates(LeNet5()), 'ValueError: LeNet5 has no spiking neurons'),
    (lambda: GradientFlow(nn.Conv2d(1, 1, 1)), 'ValueError: Conv2d has no spiking neurons'),
    (lambda: GradientStability(nn.ReLU()), 'ValueError: ReLU has no spiking neurons'),
    (lambda: SpikeCapture(nn.Conv2d(1, 1, 1), 'stem'), 'ValueError: Conv2d has no spiking neurons'),
    (lambda: AttentionCapture(net()), 'ValueError: SGResNet has neither attention'),
    (lambda: CodingDynamics(nn.Conv2d(3, 8, 3)), 'ValueError: Conv2d has no spiking backbone (a modul'),
    (lambda: CodingDynamics(ann()), 'ValueError: ResNetSNN has no spiking backbone (a modul'),
    # options
    (lambda: CodingDynamics(net(), 0), 'ValueError: levels must be 1 to 255, but got 0'),
    (lambda: CodingDynamics(net(), 256), 'ValueError: levels must be 1 to 255, but got 256'),
    (lambda: CodingDynamics(net(), 8.0), 'TypeError: levels must be an integer, but got 8.0'),
    (lambda: CodingDynamics(net(), compare=1), 'TypeError: compare must be a bool, but got 1'),
    (lambda: CodingDynamics(net(), compare=True), 'ValueError: compare ... but got DirectStem'),
    (lambda: GradientFlow(net(), weights=1), 'TypeError: weights'),
    (lambda: SpikeCapture(net(), 'stem', traces=0), 'ValueError: traces'),
    (lambda: choose_neurons(net(), 'stem.neurom'), "ValueError: ... begins with 'stem.neurom' ... 'stem.neuron'"),
    # a prefix ends at a dot
    (lambda: choose_neurons(net(), 'st'), "ValueError: ... 'st'; all names: ['stem.neuron', 'stages"),
    (lambda: choose_neurons(net(), []), 'ValueError: ... at least one'),
    (lambda: GradCAM(net(), []), 'ValueError: layers must name modules of SGResNet'),
    (lambda: GradCAM(net(), 'none'), "ValueError: layers must name modules of SGResNet ... 'none'"),
    (lambda: GradCAM(net(), ['stem', 'none']), "ValueError: layers must name modules of SGResNet ... but got ['none']"),
    # calls
    (lambda: call(FiringRates(TwoLayers()), 4), 'ValueError: ... must be called with a batch of images'),
    (lambda: call(OperationCounter(TwoLayers()), 4), 'ValueError: ... a batch of images'),
    (two_of_three_steps, "ValueError: ... 'neuron' ... not of 2 steps and 3 images"),
    (lambda: trace(4, 0, 0), 'UserError: ... must be below (4, 16, 16)'),
    (lambda: trace(0, 0), 'UserError: ... must be below (4, 16, 16)'),
    (lambda: trace(0, -1, 0), 'UserError: ... must be below (4, 16, 16)'),
    # energy
    (lambda: energy_pj(1, 1, 'TPU'), "ValueError: ... one of SG, GAC, ... TPU"),
    (lambda: EnergyModel('x', 0.0, 1.0, ''), 'ValueError: mac_pj ... 0'),
    (lambda: EnergyModel('x', 1.0, '1', ''), 'TypeError: accumulation_pj'),
    (lambda: CountingRules(spikes='all'), 'ValueError: ... rate, exact ... all'),
    (lambda: CountingRules(encoder='ac'), 'ValueError: ... mac, values ... ac'),
    (lambda: CountingRules(integer=1), 'ValueError: ... accumulations, mac ... 1'),
    (lambda: CountingRules(norms='no'), 'TypeError: norms ... no'),
    (lambda: estimate_memory(operations()).energy_pj('flash'), 'ValueError: ... sram-8kB ... flash'),
    (lambda: estimate_memory(operations(), 0), 'ValueError: word_bits'),
    # inputs
    (lambda: InputSource('noise'), 'ValueError: kind must be one of'),
    (lambda: InputSource('folder'), "ValueError: a folder belongs to kind 'folder'"),
    (lambda: InputSource('dataset', size=(8, 8)), "ValueError: a size belongs to kind 'random'"),
    (lambda: InputSource('random', size=(8, 0)), 'ValueError: size must be at least 1, but got 0'),
    (lambda: make_batches(digits(), RANDOM, 0), 'UserError: num_images must be at least 1, but got 0'),
    (lambda: make_batches(digits(), RANDOM, 1, -1), 'UserError: batch_size must be at least 1, but got -1'),
    (lambda: build_model(Config.fromfile(CONFIGS / '_base_/datasets/digits.py')), "UserError: ... digits.py' cannot be analysed: ... model"),
    (lambda: build_model(digits(**{'model.backbone.depth': 11})), 'UserError: ... cannot be built: depth'),
]  # fmt: skip


@pytest.mark.parametrize(
    ('mistake', 'expected'), MISTAKES, ids=[x for _, x in MISTAKES]
)
def test_mistake(mistake: Callable[[], object], expected: str) -> None:
    check_mistake(mistake, expected)
