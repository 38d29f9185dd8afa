"""From counted operations to energy, by stated costs and stated rules."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Literal

from mmsnn.models.residual import Values
from mmsnn.utils import check_bool, check_choice, check_positive

from .operations import (
    ImageOperations,
    LayerOperations,
    NeuronOperations,
    Operations,
    Synaptic,
)


@dataclass(frozen=True)
class EnergyModel:
    """What an operation costs.

    Args:
        name: Short name.
        mac_pj: Energy of a multiply-accumulate in pJ.
        accumulation_pj: Energy of an accumulation (AC) in pJ.
        source: Where the numbers are from.

    Raises:
        TypeError: If an energy is not a number.
        ValueError: If an energy is not positive.
    """

    name: str
    mac_pj: float
    accumulation_pj: float
    source: str

    def __post_init__(self) -> None:
        """Check the energies."""
        check_positive('mac_pj', self.mac_pj)
        check_positive('accumulation_pj', self.accumulation_pj)

    def __str__(self) -> str:
        """Return the numbers and their source."""
        return (
            f'{self.name}: {self.mac_pj:g} pJ a MAC, {self.accumulation_pj:g} pJ an '
            f'accumulation ({self.source})'
        )


ENERGY_MODELS: Mapping[str, EnergyModel] = MappingProxyType(
    {
        model.name: model
        for model in (
            EnergyModel(
                'SG',
                3.1,
                0.1,
                '32-bit integers in 45 nm, Zhang et al. 2023, Section 5.3.1; the 3.1 '
                'pJ are the multiplication alone',
            ),
            EnergyModel(
                'GAC',
                4.6,
                0.9,
                '32-bit floating point in 45 nm, Qiu et al., Eq. 11; Horowitz 2014',
            ),
            EnergyModel(
                'int32', 3.2, 0.1, '32-bit integers in 45 nm, Horowitz 2014: 3.1 + 0.1'
            ),
            EnergyModel(
                'int8', 0.23, 0.03, '8-bit integers in 45 nm, Horowitz 2014: 0.2 + 0.03'
            ),
            EnergyModel(
                'fp16',
                1.5,
                0.4,
                '16-bit floating point in 45 nm, Horowitz 2014: 1.1 + 0.4',
            ),
        )
    }
)
"""Costs by name. For others, build an :class:`EnergyModel`."""


@dataclass(frozen=True)
class CountingRules:
    """What is counted, where papers differ or are silent.

    Args:
        spikes: ``'rate'``: accumulations are the dense operations times the mean value
            of the layer's input (Zhang et al. 2023, Eq. 19; Qiu et al., Eq. 11).
            ``'exact'``: one for each weight that a spike really meets, which padding
            and strides make fewer.
        encoder: ``'mac'``: what enters the encoder is multiplied, unless it is spikes
            in {0, 1}, as rate coding's. ``'values'``: integers, such as frames of
            events, are accumulated there too.
        integer: ``'accumulations'``: a spike of value k costs k accumulations.
            ``'mac'``: layers fed with other integers than 0 and 1 (behind an ADD merge)
            multiply.
        projections: Whether convolutions on shortcuts count. Table 5 of Zhang et al.
            leaves them out.
        products: Whether the element-wise products of encoders and decoders count.
        neuron_updates: Whether updates of potentials count: an accumulation for IF, a
            MAC for LIF and PLIF, for every neuron and step.
        norms: Whether norms count, a MAC an element; otherwise they are taken as folded
            into the convolutions.

    Raises:
        TypeError: If a switch is no bool.
        ValueError: If a choice is unknown.
    """

    spikes: Literal['rate', 'exact'] = 'rate'
    encoder: Literal['mac', 'values'] = 'mac'
    integer: Literal['accumulations', 'mac'] = 'accumulations'
    projections: bool = True
    products: bool = True
    neuron_updates: bool = False
    norms: bool = False

    def __post_init__(self) -> None:
        """Check the settings."""
        check_choice('spikes', self.spikes, ('rate', 'exact'))
        check_choice('encoder', self.encoder, ('mac', 'values'))
        check_choice('integer', self.integer, ('accumulations', 'mac'))
        for name in ('projections', 'products', 'neuron_updates', 'norms'):
            check_bool(name, getattr(self, name))

    def __iter__(self) -> Iterator[str]:
        """Yield the rules as sentences."""
        yield (
            'an accumulation for each weight that a spike meets'
            if self.spikes == 'exact'
            else 'accumulations are dense operations x mean of the input (Eq. 19)'
        )
        yield 'an analog input is multiplied: MACs'
        yield (
            'an integer spike of value k costs k accumulations'
            if self.integer == 'accumulations'
            else 'integers other than 0 and 1 are multiplied: MACs'
        )
        yield (
            'the encoder and the decoders multiply whatever is not a spike in {0, 1}'
            if self.encoder == 'mac'
            else 'the encoder accumulates integers; the decoders multiply them'
        )
        for name, text in (
            ('projections', "shortcuts' convolutions"),
            ('products', 'element-wise products of encoder and decoders'),
            ('neuron_updates', 'updates of membrane potentials'),
            ('norms', 'norms'),
        ):
            counted = getattr(self, name)
            absent = 'folded into convolutions' if name == 'norms' else 'not counted'
            yield f'{text}: {"counted" if counted else absent}'
        yield 'merges, pooling, activations, memory access: not counted'


@dataclass(frozen=True)
class LayerEnergy:
    """What a layer costs for an image on average.

    Args:
        name: The module's name; or of all layers together, ``'total'``, or of a part.
        kind: Of the operations, or ``'neuron'``, ``'part'``, ``'total'``.
        part: See :func:`mmsnn.analysis.network.find_parts`.
        values: What the layer was fed; None where that is not one thing.
        macs: Multiply-accumulates.
        accumulations: Accumulations.
        energy_pj: Energy in pJ.
    """

    name: str
    kind: str
    part: str
    values: Values | None
    macs: float
    accumulations: float
    energy_pj: float


@dataclass(frozen=True)
class EnergyEstimate:
    """What a model costs for an image on average.

    Args:
        layers: What is counted, in the order of first use.
        model: The costs.
        rules: What is counted.
        num_images: Over how many images the average is.
    """

    layers: tuple[LayerEnergy, ...]
    model: EnergyModel
    rules: CountingRules
    num_images: int

    @property
    def total(self) -> LayerEnergy:
        """The sum over all layers."""
        return _sum('total', 'total', '', self.layers)

    @property
    def parts(self) -> tuple[LayerEnergy, ...]:
        """The sums over the parts of the model, in the order of first use."""
        names = dict.fromkeys(layer.part for layer in self.layers)
        return tuple(
            _sum(name, 'part', name, [x for x in self.layers if x.part == name])
            for name in names
        )

    @property
    def assumptions(self) -> tuple[str, ...]:
        """Costs and rules as sentences, to stand beside every number."""
        return (str(self.model), *self.rules)


def _sum(name: str, kind: str, part: str, layers: Sequence[LayerEnergy]) -> LayerEnergy:
    return LayerEnergy(
        name,
        kind,
        part,
        None,
        sum(layer.macs for layer in layers),
        sum(layer.accumulations for layer in layers),
        sum(layer.energy_pj for layer in layers),
    )


def find_energy_model(model: EnergyModel | str) -> EnergyModel:
    """Return the costs of a name.

    Raises:
        TypeError: If it is neither a name nor costs.
        ValueError: If the name is unknown.
    """
    if isinstance(model, EnergyModel):
        return model
    check_choice('energy model', model, tuple(ENERGY_MODELS))
    return ENERGY_MODELS[model]


def energy_pj(macs: float, accumulations: float, model: EnergyModel | str) -> float:
    r"""Return the energy of operations that were counted elsewhere.

    :math:`E = E_{MAC}\,n_{MAC} + E_{AC}\,n_{AC}` (Qiu et al., Eq. 11).

    Args:
        macs: Multiply-accumulates.
        accumulations: Accumulations.
        model: Costs, or the name of some in ``ENERGY_MODELS``.

    Returns:
        Energy in pJ.
    """
    costs = find_energy_model(model)
    return macs * costs.mac_pj + accumulations * costs.accumulation_pj


def estimate_energy(
    operations: Operations,
    model: EnergyModel | str = 'SG',
    rules: CountingRules | None = None,
) -> EnergyEstimate:
    """Return what counted operations cost.

    Args:
        operations: What :class:`~mmsnn.analysis.OperationCounter` counted.
        model: Costs, or the name of some in ``ENERGY_MODELS``.
        rules: What is counted; None is the papers' way with nothing left out but norms
            and updates of potentials.

    Raises:
        TypeError: If the model is neither a name nor costs.
        ValueError: If the name is unknown.
    """
    costs = find_energy_model(model)
    rules = rules or CountingRules()
    layers = [
        _layer_energy(layer, costs, rules)
        for layer in operations.layers
        if _is_counted(layer, rules)
    ]
    if rules.neuron_updates:
        layers += [_neuron_energy(neuron, costs) for neuron in operations.neurons]
    return EnergyEstimate(tuple(layers), costs, rules, operations.num_images)


def _is_counted(layer: LayerOperations, rules: CountingRules) -> bool:
    if layer.kind == 'norm':
        return rules.norms
    if layer.kind == 'product':
        return rules.products
    return rules.projections or not layer.projection


def _layer_energy(
    layer: LayerOperations, costs: EnergyModel, rules: CountingRules
) -> LayerEnergy:
    mean = layer.mean
    multiplies = rules.integer == 'mac' or layer.part == 'decoder'
    if layer.part == 'encoder':
        multiplies |= rules.encoder == 'mac'
    macs = mean.analog.dense
    spikes = mean.binary
    if multiplies:
        macs += mean.integer.dense
    else:
        spikes += mean.integer
    additions = (
        spikes.accumulations if rules.spikes == 'exact' else spikes.rate_accumulations
    )
    return LayerEnergy(
        layer.name,
        layer.kind,
        layer.part,
        layer.values,
        macs,
        additions,
        energy_pj(macs, additions, costs),
    )


def _neuron_energy(neuron: NeuronOperations, costs: EnergyModel) -> LayerEnergy:
    macs = neuron.updates if neuron.leaky else 0.0
    additions = 0.0 if neuron.leaky else neuron.updates
    return LayerEnergy(
        neuron.name,
        'neuron',
        neuron.part,
        None,
        macs,
        additions,
        energy_pj(macs, additions, costs),
    )


def without_spikes(operations: Operations) -> Operations:
    """Return the operations of the same network without spikes, an ordinary ANN.

    Every layer runs once, on analog values; spike decoders and the attention of gated
    attention coding are left out. Of a network that is no spiking one it changes
    nothing but that. So a backbone's saving is seen beside what a detector's neck and
    head go on to cost.
    """
    layers = tuple(
        replace(
            layer,
            steps=1,
            inputs=layer.inputs / layer.steps,
            outputs=layer.outputs / layer.steps,
            values='analog',
            images=tuple(
                ImageOperations(analog=Synaptic(image.dense / layer.steps))
                for image in layer.images
            ),
        )
        for layer in operations.layers
        if not layer.spiking_only
    )
    return replace(operations, layers=layers, neurons=())
