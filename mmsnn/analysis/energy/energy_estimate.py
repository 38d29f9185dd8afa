"""Energy of counted operations, given costs per operation and counting rules."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from mmsnn.models.residual import Values

from .energy_models import CountingRules, EnergyModel, energy_pj, find_energy_model
from .operations import (
    ImageOperations,
    LayerOperations,
    NeuronOperations,
    Operations,
    Synaptic,
)


@dataclass(frozen=True)
class LayerEnergy:
    """Operations and energy of a layer, averaged over the images.

    Args:
        name: Name of the module, name of a part, or ``'total'`` for all layers.
        kind: Kind of the operations, or ``'neuron'``, ``'part'``, ``'total'``.
        part: See :func:`mmsnn.analysis.find_parts`.
        values: Kind of the layer's input; None for neurons and sums.
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
    """Operations and energy of a model, averaged over the images.

    Args:
        layers: The counted layers, in the order of first use.
        model: Energy per operation.
        rules: Rules that state what is counted.
        num_images: Number of images.
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
        """Energies and rules as sentences, to be reported with the numbers."""
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


def estimate_energy(
    operations: Operations,
    model: EnergyModel | str = 'SG',
    rules: CountingRules | None = None,
) -> EnergyEstimate:
    """Return the energy of counted operations.

    Args:
        operations: Result of :class:`~mmsnn.analysis.OperationCounter`.
        model: An energy model, or its name in ``ENERGY_MODELS``.
        rules: Counting rules; None uses the papers' rules and counts everything except
            norms and updates of membrane potentials.

    Raises:
        TypeError: If the energy model is neither a name nor an :class:`EnergyModel`.
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
    """Return the operations of the same network without spikes (an ANN).

    Every layer runs once, on analog values; spike decoders and the attention of gated
    attention coding are left out. The comparison shows how much of a detector's energy
    the spiking backbone saves, given the cost of its neck and head.
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
