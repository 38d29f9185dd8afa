"""Energy per operation, and rules that state which operations are counted."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal

from mmsnn.utils import check_bool, check_choice, check_positive


@dataclass(frozen=True)
class EnergyModel:
    """Energy per operation.

    Args:
        name: Short name.
        mac_pj: Energy of a multiply-accumulate (MAC) in pJ.
        accumulation_pj: Energy of an accumulation (AC) in pJ.
        source: Source of the numbers.

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
            f'{self.name}: {self.mac_pj:g} pJ per MAC, {self.accumulation_pj:g} pJ per '
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
"""Energy models by name. For other costs, create an :class:`EnergyModel`."""


@dataclass(frozen=True)
class CountingRules:
    """Rules for counting operations, on which papers differ or which they do not state.

    Args:
        spikes: ``'rate'``: accumulations are the dense operations times the mean value
            of the layer's input (Zhang et al. 2023, Eq. 19; Qiu et al., Eq. 11).
            ``'exact'``: one accumulation per spike and weight applied to it; padding
            and strides reduce their number.
        encoder: ``'mac'``: the encoder's input is multiplied unless it is binary, as
            with rate coding. ``'values'``: integers, such as event frames, are counted
            in the encoder as in other layers, see ``integer``.
        integer: ``'accumulations'``: a spike of value k costs k accumulations.
            ``'mac'``: inputs with integers other than 0 and 1 (after an ADD merge) are
            multiplied.
        projections: Whether to count convolutions on shortcuts. Table 5 of Zhang et al.
            does not.
        products: Whether to count the element-wise products in encoders and decoders.
        neuron_updates: Whether to count updates of membrane potentials: per neuron and
            time step, one accumulation for IF, one MAC for LIF and PLIF.
        norms: Whether to count norms, one MAC per element; otherwise they are assumed
            to be folded into the convolutions.

    Raises:
        TypeError: If a switch is not a bool.
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
            'one accumulation per spike and weight applied to it'
            if self.spikes == 'exact'
            else 'accumulations are dense operations x mean of the input (Eq. 19)'
        )
        yield 'analog inputs are multiplied: MACs'
        yield (
            'an integer spike of value k costs k accumulations'
            if self.integer == 'accumulations'
            else 'integers other than 0 and 1 are multiplied: MACs'
        )
        yield (
            'encoder and decoders multiply all inputs other than spikes in {0, 1}'
            if self.encoder == 'mac'
            else 'the encoder counts integers like other layers, decoders multiply them'
        )
        for name, text in (
            ('projections', 'convolutions on shortcuts'),
            ('products', 'element-wise products in encoders and decoders'),
            ('neuron_updates', 'updates of membrane potentials'),
            ('norms', 'norms'),
        ):
            counted = getattr(self, name)
            absent = 'folded into convolutions' if name == 'norms' else 'not counted'
            yield f'{text}: {"counted" if counted else absent}'
        yield 'merges, pooling, activations, memory access: not counted'


def find_energy_model(model: EnergyModel | str) -> EnergyModel:
    """Return the energy model with a name.

    Raises:
        TypeError: If it is neither a name nor an :class:`EnergyModel`.
        ValueError: If the name is unknown.
    """
    if isinstance(model, EnergyModel):
        return model
    check_choice('energy model', model, tuple(ENERGY_MODELS))
    return ENERGY_MODELS[model]


def energy_pj(macs: float, accumulations: float, model: EnergyModel | str) -> float:
    r"""Return the energy of given numbers of operations.

    :math:`E = E_{MAC}\,n_{MAC} + E_{AC}\,n_{AC}` (Qiu et al., Eq. 11).

    Args:
        macs: Number of multiply-accumulates.
        accumulations: Number of accumulations.
        model: An energy model, or its name in ``ENERGY_MODELS``.

    Returns:
        Energy in pJ.
    """
    costs = find_energy_model(model)
    return macs * costs.mac_pj + accumulations * costs.accumulation_pj
