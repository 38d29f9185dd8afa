"""The operation counter against hand counts, brute force and SpikingJelly."""

import pytest
import torch
from spikingjelly.activation_based.op_counter import (
    DispatchCounterMode,
    MACCounter,
    SynOpCounter,
)
from test_models.helpers import FAMILY_ENTRIES, SILENT, calibrate, make_backbone
from torch import Tensor, nn
from torch.nn import functional as F

from mmsnn.analysis import FiringRates, OperationCounter, Operations

from .nets import Holder, TwoLayers, count, layer_of, make_classifier


def test_two_layers_to_the_last_accumulation() -> None:
    """One pixel fires at both steps, one at the second, one never."""
    image = torch.zeros(1, 1, 4, 4)
    image[0, 0, 0, 0] = 1.0  # the corner: 4 places of the 3x3 kernel
    image[0, 0, 1, 2] = 0.5  # inside: 9 places
    image[0, 0, 3, 1] = 0.3
    operations = count(TwoLayers(), image)

    first, second = operations.layers
    assert (first.name, first.values, first.steps) == ('first', 'analog', 1)
    assert first.mean.analog.dense == 16
    assert first.mean.spikes_in == 0
    assert (second.name, second.values, second.steps) == ('second', 'binary', 2)
    assert second.mean.spikes_in == 3
    assert second.mean.binary.accumulations == 2 * (2 * 4 + 1 * 9)
    assert second.mean.binary.dense == 2 * 16 * 2 * 9
    # the papers' estimate knows of no border: 9 places a spike
    assert second.mean.binary.rate_accumulations == pytest.approx(2 * 3 * 9)
    assert (second.weights, second.inputs, second.outputs) == (18, 32, 64)
    (neuron,) = operations.neurons
    assert (neuron.updates, neuron.spikes_out, neuron.leaky) == (32, (3,), False)
    assert neuron.firing_rate == 3 / 32
    assert (operations.num_images, operations.num_steps) == (1, 2)
    assert operations.parameters == 19


def test_images_of_different_sizes() -> None:
    """Neurons that all fire at every step, and a batch in which they are not called."""

    class Model(TwoLayers):
        def forward(self, image: Tensor) -> Tensor:
            return image if image.shape[-1] == 1 else super().forward(image)

    images = [torch.ones(1, 1, side, side) for side in (1, 4, 8)]
    (neuron,) = count(Model(), *images).neurons
    assert neuron.spikes_out == (0, 32, 128)
    assert neuron.updates == (32 + 128) / 3
    assert neuron.firing_rate == 1


def test_product_of_activations_has_no_weights() -> None:
    class Model(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            return torch.baddbmm(torch.zeros(3, 3), x[0], x[0].mT)

    (layer,) = count(Model(), torch.rand(1, 2, 3, 5)).layers
    assert (layer.weights, layer.mean.dense) == (0, 2 * 3 * 5 * 3)


class SelfAttention(nn.MultiheadAttention):
    """Self-attention of 8 channels and 2 heads."""

    def __init__(self, weights: bool) -> None:
        super().__init__(8, 2, batch_first=True)
        self.returns_weights = weights

    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x, x, x, need_weights=self.returns_weights)[0]


@pytest.mark.parametrize('training', [True, False])
def test_fused_attention_counts_as_its_products(training: bool) -> None:
    """PyTorch fuses the products or, in evaluation mode, the whole module."""
    x = torch.rand(3, 5, 8)[:, None]  # a batch of images
    models = [nn.Sequential(nn.Flatten(1, 2), SelfAttention(w)) for w in (True, False)]
    models[1].load_state_dict(models[0].state_dict())
    (products,), (fused,) = (count(m.train(training), x).layers for m in models)
    assert torch.backends.mha.get_fastpath_enabled()
    assert fused == products
    # projections, then Q K^T and the product with V
    assert fused.mean.dense == 4 * 5 * 8 * 8 + 2 * 5 * 5 * 8


def test_fused_attention_of_grouped_queries() -> None:
    class Model(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            return F.scaled_dot_product_attention(
                x, x[:, :2], x[:, :2], attn_mask=torch.ones(5, 5), enable_gqa=True
            )

    (layer,) = count(Model(), torch.rand(3, 4, 5, 8)).layers
    assert (layer.weights, layer.mean.dense) == (0, 2 * 4 * 5 * 5 * 8)


@pytest.mark.parametrize('calls', [1, 2])
def test_weights_of_all_operations_of_a_module(calls: int) -> None:
    """Query, key and value projections in one product, then the output's."""

    class Model(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.attention = SelfAttention(True)
            self.shared = nn.Linear(8, 8)

        def forward(self, x: Tensor) -> Tensor:
            x = x.flatten(1, 2)
            for _ in range(calls):
                x = self.attention(x)
                F.linear(F.linear(x, self.shared.weight), self.shared.weight)
            return x

    operations = count(Model(), *torch.rand(2, 3, 1, 5, 8))
    assert layer_of(operations, 'attention').weights == 4 * 8 * 8
    assert layer_of(operations, '').weights == 8 * 8


def test_integer_spikes_cost_their_value() -> None:
    """Values {0, 1, 2, 3}, as of two ADD merges: k accumulations for a spike k."""
    x = torch.tensor([[0.0, 1, 2], [3, 0, 0], [0, 0, 1]])[None, None]
    conv = nn.Conv2d(1, 5, 1, bias=False)
    (layer,) = count(Holder(conv), x).layers
    assert (layer.values, layer.peak) == ('integer', 3.0)
    assert layer.mean.spikes_in == 7
    assert layer.mean.integer.accumulations == 7 * 5
    assert layer.mean.binary.dense == layer.mean.analog.dense == 0


CONVOLUTIONS = [
    nn.Conv2d(4, 6, 3, padding=1),
    nn.Conv2d(4, 6, 3, stride=2, padding=1),
    nn.Conv2d(4, 6, 1, stride=2),
    nn.Conv2d(4, 6, 5, stride=3, padding=2, dilation=2),
    nn.Conv2d(4, 8, 3, groups=2, padding=(2, 0)),
    nn.Conv2d(4, 4, (1, 3), groups=4),
    nn.ConvTranspose2d(4, 6, 3, stride=2, padding=1, output_padding=1),
    nn.ConvTranspose2d(4, 8, 4, stride=2, padding=1, groups=2, dilation=2),
]


@pytest.mark.parametrize('conv', CONVOLUTIONS, ids=str)
def test_accumulations_equal_a_convolution_with_ones(conv: nn.Module) -> None:
    """Weights and spikes of 1: the sum of the outputs is the number of additions."""
    spikes = (torch.rand(3, 4, 9, 11) < 0.3).float()
    (layer,) = count(Holder(conv), spikes).layers
    nn.init.ones_(conv.weight)
    nn.init.zeros_(conv.bias)
    outputs = conv(spikes).detach()
    for image, output in zip(layer.images, outputs, strict=True):
        assert image.binary.accumulations == output.sum()
    dense = outputs[0].numel() * conv.weight[0].numel()
    if isinstance(conv, nn.ConvTranspose2d):
        dense = spikes[0].numel() * conv.weight[0].numel()
    assert layer.mean.dense == dense


def test_other_dimensions_and_matrix_products() -> None:
    spikes = (torch.rand(2, 3, 8, 5) < 0.4).float()

    class Model(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.conv1 = nn.Conv1d(3, 2, 3, padding=1)
            self.conv3 = nn.Conv3d(1, 2, 3, padding=1)
            self.linear = nn.Linear(5, 7)

        def forward(self, x: Tensor) -> Tensor:
            self.conv1(x[..., 0])
            self.conv3(x[:, None])
            return torch.einsum('nchw,nckw->nchk', self.linear(x), self.linear(x))

    model = Model()
    operations = count(model, spikes)
    for name, conv, x in (
        ('conv1', F.conv1d, spikes[..., 0]),
        ('conv3', F.conv3d, spikes[:, None]),
    ):
        ones = torch.ones_like(getattr(model, name).weight)
        additions = conv(x, ones, padding=1).flatten(1).sum(1).tolist()
        found = [i.binary.accumulations for i in layer_of(operations, name).images]
        assert found == additions
    linear = layer_of(operations, 'linear')
    assert linear.mean.dense == 2 * 24 * 5 * 7
    by_image = [2 * 7 * float(image.sum()) for image in spikes]
    assert [image.binary.accumulations for image in linear.images] == by_image
    product = layer_of(operations, '')
    assert (product.kind, product.values) == ('linear', 'analog')
    assert product.mean.dense == 3 * 8 * 8 * 7


def test_dense_counts_do_not_depend_on_the_mode() -> None:
    """Nor on whether gradients are kept; the backward pass is not counted."""
    model = make_classifier()
    images = torch.randn(2, 3, 16, 16)

    def dense(operations: Operations) -> dict[str, float]:
        return {
            layer.name: layer.mean.dense
            for layer in operations.layers
            if layer.kind in ('convolution', 'linear')
        }

    in_eval = dense(count(model, images))
    with OperationCounter(model.train()) as counter:
        model(images)[0].sum().backward()
    assert dense(counter.result()) == in_eval
    with torch.inference_mode():
        assert dense(count(model.eval(), images)) == in_eval


def test_twice_the_steps_are_twice_the_accumulations() -> None:
    """Neurons that fire at every step: the first layer still runs once."""
    image = torch.ones(1, 1, 4, 4)
    short, long = (count(TwoLayers(steps), image) for steps in (2, 4))
    for one, two in zip(short.layers, long.layers, strict=True):
        factor = 2 if one.name == 'second' else 1
        assert two.mean.dense == factor * one.mean.dense
        assert two.mean.binary.accumulations == factor * one.mean.binary.accumulations
    assert short.layers[1].mean.binary.accumulations == 2 * 2 * (4 * 4 + 8 * 6 + 4 * 9)


@pytest.mark.parametrize('family', FAMILY_ENTRIES)
def test_input_ranges_are_what_the_family_promises(family: str) -> None:
    """Behind spikes binary, behind sums of spikes integer, never analog by surprise."""
    image = torch.randn(2, 3, 32, 32)
    backbone = calibrate(make_backbone(family), image).eval()
    layers = [
        layer
        for layer in count(backbone, image).layers
        if layer.part == 'backbone' and layer.kind == 'convolution'
    ]
    found = {layer.values for layer in layers if not layer.projection}
    if backbone.values == 'analog' or family in SILENT:
        # pre-activation blocks fire before every convolution of the branch
        assert found <= {'binary'}
    else:
        assert found <= {'binary', backbone.values}
        assert backbone.values in found


def test_agrees_with_spikingjelly_on_binary_spikes() -> None:
    image = torch.randn(2, 3, 32, 32)
    backbone = calibrate(make_backbone('SG-BSG'), image).eval()
    synops, macs = SynOpCounter(), MACCounter()
    with torch.no_grad(), DispatchCounterMode([synops]):
        backbone(image)
    layers = count(backbone, image).layers
    convolutions = [layer for layer in layers if layer.kind == 'convolution']
    assert synops.get_total() == sum(
        2 * layer.mean.binary.accumulations for layer in convolutions
    )
    assert synops.get_total() > 0
    with torch.no_grad(), DispatchCounterMode([macs]):
        backbone.stem.encode.conv(image)
    assert macs.get_total() == 2 * convolutions[0].mean.analog.dense


def test_classifier_parts_and_products() -> None:
    operations = count(make_classifier(stem='gac-cifar'), torch.randn(2, 3, 16, 16))
    parts = {layer.name: layer.part for layer in operations.layers}
    assert parts['backbone.stem.encode.conv'] == 'encoder'
    assert parts['neck.0.decoders.0.channel.mlp.0'] == 'decoder'
    assert parts['head.fc'] == 'head'
    alone = {layer.name for layer in operations.layers if layer.spiking_only}
    assert 'backbone.stem.temporal.mlp.0' in alone
    assert 'neck.0.decoders.0' in alone
    assert 'head.fc' not in alone
    assert 'backbone.stem.encode.conv' not in alone
    asd = layer_of(operations, 'neck.0.decoders.0')
    # channel and spatial weights times C * H * W; temporal ones select spikes
    assert asd.mean.analog.dense == 2 * 64 * 2 * 2
    assert asd.mean.binary.dense == 2 * 64 * 2 * 2


def test_zeros_are_silence_only_where_spikes_travel() -> None:
    """A silent network's head multiplies zeros; its blocks cost nothing."""
    model = make_classifier()
    nn.init.zeros_(model.backbone.stem.encode.norm.weight)
    nn.init.constant_(model.backbone.stem.encode.norm.bias, -1.0)
    for module in model.backbone.stages.modules():
        if isinstance(module, nn.BatchNorm2d):
            nn.init.zeros_(module.weight)
            nn.init.constant_(module.bias, -1.0)
    operations = count(model, torch.randn(1, 3, 16, 16))
    assert layer_of(operations, 'head.fc').values == 'analog'
    block = layer_of(operations, 'backbone.stages.0.0.branch.0.conv')
    assert block.values == 'binary'
    assert block.mean.binary.accumulations == 0


def test_attention_of_a_stem_is_analog_even_if_its_hidden_values_are_zero() -> None:
    model = make_classifier(stem='gac-cifar')
    hidden = model.backbone.stem.temporal.mlp[0]
    nn.init.zeros_(hidden.weight)
    operations = count(model, torch.randn(1, 3, 16, 16))
    layer = layer_of(operations, 'backbone.stem.temporal.mlp.2')
    assert layer.peak == 0
    assert layer.values == 'analog'


def test_a_failed_batch_counts_nothing() -> None:
    model, image = TwoLayers(), torch.ones(1, 1, 4, 4)
    with pytest.raises(RuntimeError, match='size'), OperationCounter(model) as counter:
        model(image)
        model(torch.ones(1, 5, 4, 4))
    assert counter.result() == count(model, image)


def test_what_is_not_counted_is_said() -> None:

    class Odd(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.weight = nn.Parameter(torch.rand(4, 4))

        def forward(self, x: Tensor) -> Tensor:
            return x * self.weight

    model = nn.Sequential(nn.Conv2d(1, 1, 1), Odd())
    assert count(model, torch.rand(1, 1, 4, 4)).uncounted == ('1',)


def test_agrees_with_the_firing_rates() -> None:
    model = make_classifier()
    images = torch.randn(3, 3, 16, 16)
    with torch.no_grad(), OperationCounter(model) as counter, FiringRates(model) as r:
        model(images)
    counted = {n.name: n.firing_rate for n in counter.result().neurons}
    expected = {n.name: n.firing_rate for n in r.result().neurons}
    assert counted == pytest.approx(expected) and any(counted.values())
