"""Table and plot of detections after each time step."""

from collections.abc import Mapping

from matplotlib.figure import Figure

from mmsnn.analysis.anytime import Anytime, StepResult

from .report import COLORS, Column, Picture, Table, plot_style


def main_metric(metrics: Mapping[str, float]) -> str:
    """Return the name of the metric that is drawn: mAP, or else the first."""
    names = [name for name in metrics if name.endswith(('bbox_mAP', '/mAP'))]
    return names[0] if names else next(iter(metrics))


def step_table(found: Anytime) -> Table:
    """Return the results after each time step, and of stopping early."""
    name = main_metric(found.early.metrics)

    def row(label: str, result: StepResult) -> tuple[str | float, ...]:
        whole = found.steps[-1].energy_pj
        return (
            label,
            result.metrics[name],
            result.energy_pj,
            result.energy_pj / whole,
            result.stopped,
        )

    rows = [row(f'{result.num_steps:g}', result) for result in found.steps]
    rows.append(row(f'stopping early: {found.early.num_steps:.2f}', found.early))
    columns = (
        Column('time steps'),
        Column(name, format='.3f', bar=True),
        Column('energy', 'pJ', '.3e'),
        Column('of all steps', format='.1%'),
        Column('stopped by then', format='.1%'),
    )
    title = 'Detections after each time step'
    return Table(title, columns, tuple(rows), bold_last=True)


def draw(found: Anytime) -> list[Picture]:
    """Return the plot of the metric over the energy."""
    name = main_metric(found.early.metrics)
    with plot_style():
        figure = Figure(figsize=(5, 3.4), layout='constrained')
        axes = figure.subplots()
        energies = [result.energy_pj / 1e6 for result in found.steps]
        values = [result.metrics[name] for result in found.steps]
        axes.plot(energies, values, 'o-', color=COLORS[0], label='after T steps')
        for result, x, y in zip(found.steps, energies, values, strict=True):
            axes.annotate(
                f'T = {result.num_steps:g}',
                (x, y),
                xytext=(6, -10),
                textcoords='offset points',
            )
        early = found.early
        axes.plot(
            early.energy_pj / 1e6,
            early.metrics[name],
            's',
            color=COLORS[1],
            label=f'stopping early, T = {early.num_steps:.2f} on average',
        )
        axes.set_xlabel('energy per image (uJ)')
        axes.set_ylabel(name)
        axes.legend(loc='lower right')
    return [
        Picture(
            'anytime',
            f'{name} and energy after each time step',
            figure,
            f'Square: {found.rule}.',
        )
    ]


__all__ = ['draw', 'main_metric', 'step_table']
