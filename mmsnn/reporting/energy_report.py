"""Tables and plots of operations and energy."""

from typing import Any

from matplotlib.figure import Figure

from mmsnn.analysis import (
    ENERGY_MODELS,
    MEMORY_PJ_PER_BYTE,
    CountingRules,
    EnergyEstimate,
    LayerOperations,
    Operations,
    estimate_energy,
    estimate_memory,
    without_spikes,
)

from .report import COLORS, Column, Picture, Table, plot_style


def times_less(energy_pj: float, ann_energy_pj: float) -> float | None:
    """Return the energy without spikes relative to that with; None if that is 0."""
    return ann_energy_pj / energy_pj if energy_pj else None


def part_table(spiking: EnergyEstimate, ann: EnergyEstimate) -> Table:
    """Return the parts of a spiking model, compared with the same model as an ANN."""
    twins = {part.name: part for part in ann.parts}
    twins['total'] = ann.total
    rows = []
    for part in (*spiking.parts, spiking.total):
        twin = twins.get(part.name)
        rows.append(
            (
                part.name,
                part.macs,
                part.accumulations,
                part.energy_pj,
                twin and twin.macs,
                twin and twin.energy_pj,
                twin and times_less(part.energy_pj, twin.energy_pj),
            )
        )
    columns = (
        Column('part'),
        Column('MACs', format='si'),
        Column('ACs', format='si'),
        Column('energy', 'pJ', '.3e', bar=True),
        Column('MACs without', format='si'),
        Column('energy without', 'pJ', '.3e'),
        Column('times less', format='.2f'),
    )
    notes = [
        'Without spikes: each layer runs once on analog values; no spike decoders.'
    ]
    multiplying = [
        part.name
        for part in spiking.parts
        if part.macs and part.name not in ('encoder', 'backbone', 'decoder')
    ]
    if multiplying:
        notes.append(
            f'Multiplying in both: {", ".join(multiplying)}. The backbone saves more '
            'energy than the model as a whole.'
        )
    return Table(
        'Parts, for one image', columns, tuple(rows), tuple(notes), bold_last=True
    )


def layer_table(estimate: EnergyEstimate, operations: Operations) -> Table:
    """Return the table of the layers."""
    counted: dict[tuple[str, str], LayerOperations] = {
        (layer.name, layer.kind): layer for layer in operations.layers
    }
    total = estimate.total
    rows: list[tuple[Any, ...]] = []
    for layer in estimate.layers:
        seen = counted.get((layer.name, layer.kind))
        other = '' if layer.kind == 'convolution' else f' ({layer.kind})'
        rate = dense = None
        if seen is not None:
            dense = seen.mean.dense
            rate = seen.mean.spikes_in / seen.inputs if layer.accumulations else None
        share = layer.energy_pj / total.energy_pj if total.energy_pj else None
        numbers = (layer.macs, layer.accumulations, layer.energy_pj, share)
        rows.append((f'{layer.name}{other}', layer.values or '', rate, dense, *numbers))
    sums = (total.macs, total.accumulations, total.energy_pj, 1.0)
    rows.append((total.name, '', None, None, *sums))
    columns = (
        Column('layer'),
        Column('input'),
        Column('mean input', format='.3f'),
        Column('dense', format='si'),
        Column('MACs', format='si'),
        Column('ACs', format='si'),
        Column('energy', 'pJ', '.3e'),
        Column('share', format='.1%', bar=True),
    )
    notes = ('dense: multiply-accumulates of all time steps, including zeros.',)
    return Table('Layers, for one image', columns, tuple(rows), notes, bold_last=True)


def costs_table(operations: Operations, rules: CountingRules) -> Table:
    """Return the total energy with each energy model."""
    rows = []
    for model in ENERGY_MODELS.values():
        spiking = estimate_energy(operations, model, rules).total.energy_pj
        ann = estimate_energy(without_spikes(operations), model, rules).total.energy_pj
        rows.append(
            (
                model.name,
                model.mac_pj,
                model.accumulation_pj,
                spiking,
                ann,
                times_less(spiking, ann),
                model.source,
            )
        )
    columns = (
        Column('costs'),
        Column('MAC', 'pJ', 'g'),
        Column('AC', 'pJ', 'g'),
        Column('energy', 'pJ', '.3e'),
        Column('energy without spikes', 'pJ', '.3e'),
        Column('times less', format='.2f'),
        Column('source'),
    )
    return Table('Energy with other energy models', columns, tuple(rows))


def memory_table(operations: Operations, word_bits: int) -> Table:
    """Return the memory traffic of a model with and without spikes."""
    rows = []
    for name, counted in (
        ('as it is', operations),
        ('without spikes', without_spikes(operations)),
    ):
        memory = estimate_memory(counted, word_bits)
        total = memory.total
        rows.append(
            (
                name,
                total.weights_bytes,
                total.inputs_bytes,
                total.outputs_bytes,
                total.potentials_bytes,
                total.total_bytes,
                *(memory.energy_pj(kind) for kind in MEMORY_PJ_PER_BYTE),
            )
        )
    columns = (
        Column('model'),
        *(
            Column(name, 'B', 'si')
            for name in ('weights', 'inputs', 'outputs', 'potentials', 'sum')
        ),
        *(Column(kind, 'pJ', '.2e') for kind in MEMORY_PJ_PER_BYTE),
    )
    notes = (
        'Not part of the energies above. Layer by layer, unfused and uncached; weights '
        'are read once per time step; binary spikes take 1 bit, words '
        f'{word_bits} bits. Energies if all traffic uses one memory (Horowitz 2014).',
    )
    return Table('Memory traffic, for one image', columns, tuple(rows), notes)


def draw_layers(estimate: EnergyEstimate) -> Picture:
    """Draw the energy of each layer."""
    layers = estimate.layers
    with plot_style():
        figure = Figure(figsize=(8, 1 + 0.19 * len(layers)))
        axes = figure.add_subplot()
        places = range(len(layers))
        macs = [layer.macs * estimate.model.mac_pj for layer in layers]
        additions = [
            layer.accumulations * estimate.model.accumulation_pj for layer in layers
        ]
        axes.barh(places, macs, label='MACs', color=COLORS[1])
        axes.barh(places, additions, left=macs, label='accumulations', color=COLORS[0])
        axes.set_yticks(places, [layer.name for layer in layers], fontsize=6)
        axes.set_ylim(len(layers) - 0.4, -0.6)
        axes.set_xlabel('energy [pJ]')
        axes.legend()
    return Picture('layers', 'Energy of each layer', figure)


def draw_parts(spiking: EnergyEstimate, ann: EnergyEstimate) -> Picture:
    """Draw the energy of each part, with and without spikes."""
    with plot_style():
        figure = Figure(figsize=(8, 2.2))
        axes = figure.add_subplot()
        names = [part.name for part in spiking.parts]
        for place, estimate in enumerate((spiking, ann)):
            left = 0.0
            for part in estimate.parts:
                index = names.index(part.name)
                axes.barh(
                    place,
                    part.energy_pj,
                    left=left,
                    color=COLORS[index % len(COLORS)],
                    label=part.name if estimate is spiking else None,
                )
                left += part.energy_pj
        axes.set_yticks([0, 1], ['as it is', 'without spikes'])
        axes.invert_yaxis()
        axes.set_xlabel('energy [pJ]')
        axes.legend(ncols=len(names), loc='lower center', bbox_to_anchor=(0.5, 1.0))
    return Picture('parts', 'Where the energy goes', figure)
