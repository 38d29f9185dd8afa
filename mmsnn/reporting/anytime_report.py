"""Table and plot of detections after each time step."""

from collections.abc import Mapping

from matplotlib.figure import Figure

from mmsnn.analysis.anytime import Anytime, StepResult

from .report import COLORS, Column, Picture, Table, plot_style


def main_metric(metrics: Mapping[str, float]) -> str:
    """Return the name of the metric to draw: mAP if there is one, else the first."""
    names = [name for name in metrics if name.endswith(('bbox_mAP', '/mAP'))]
    return names[0] if names else next(iter(metrics))


def step_table(found: Anytime) -> Table:
    """Return the table of results after each time step and with early stopping."""
    name = main_metric(found.early.metrics)

    def row(label: str, result: StepResult) -> tuple[str | float, ...]:
        whole = found.steps[-1].energy_pj
        return (
            label,
            result.metrics[name],
            result.energy_pj,
            result.energy_pj / whole,
            result.each_pj / whole,
            result.stopped,
        )

    rows = [row(f'{result.num_steps:g}', result) for result in found.steps]
    rows.append(row(f'early stopping: {found.early.num_steps:.2f}', found.early))
    columns = (
        Column('time steps'),
        Column(name, format='.3f', bar=True),
        Column('energy', 'pJ', '.3e'),
        Column('relative', format='.1%'),
        Column('with a result per step', format='.1%'),
        Column('images stopped', format='.1%'),
    )
    notes = (
        'relative: to the energy of one result after all time steps; with a result per '
        'step: the same if detections are computed after every time step so far.',
    )
    title = 'Detections after each time step'
    return Table(title, columns, tuple(rows), notes, bold_last=True)


def draw(found: Anytime) -> list[Picture]:
    """Return the plot of metric and energy over the time steps."""
    name = main_metric(found.early.metrics)
    steps = [result.num_steps for result in found.steps]
    early = found.early
    with plot_style():
        figure = Figure(figsize=(8, 3.2), layout='constrained')
        left, right = figure.subplots(1, 2)
        values = [result.metrics[name] for result in found.steps]
        left.plot(steps, values, 'o-', color=COLORS[0], label='all images')
        left.plot(early.num_steps, early.metrics[name], 's', color=COLORS[1])
        left.set_ylabel(name)
        for label, color, energies in (
            ('one result', COLORS[0], [result.energy_pj for result in found.steps]),
            ('a result per step', COLORS[1], [r.each_pj for r in found.steps]),
        ):
            right.plot(steps, [x / 1e6 for x in energies], 'o-', color=color)
            right.annotate(label, (steps[-1], energies[-1] / 1e6), ha='right')
        right.plot(early.num_steps, early.each_pj / 1e6, 's', color=COLORS[1])
        right.set_ylabel('energy per image (uJ)')
        right.set_ylim(bottom=0)
        for axes in (left, right):
            axes.set_xlabel('time steps')
            axes.set_xticks(steps)
    caption = f'Squares: mean over the images if {found.rule}.'
    title = f'{name} and energy after each time step'
    return [Picture('anytime', title, figure, caption)]


__all__ = ['draw', 'main_metric', 'step_table']
