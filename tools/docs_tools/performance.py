"""Write the tables and the plot of docs/performance.md from docs/benchmarks.

Each of its files was saved by a script in benchmarks with --json.

Usage:
    python tools/docs_tools/performance.py
"""

import argparse
import json
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from statistics import median
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent))

from _pages import replace_part  # noqa: E402
from _targets import ANN, TARGETS  # noqa: E402

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / 'docs' / 'performance.md'
PLOT = ROOT / 'docs' / 'images' / 'growth.png'
RESULTS = ROOT / 'docs' / 'benchmarks'
COMMAND = 'python tools/docs_tools/performance.py'
BENCHMARKS = (
    'inference',
    'training',
    'memory',
    'growth',
    'precision',
    'detector',
    'kernels',
    'contention',
)
AVX2 = RESULTS / 'avx2'

Results = Mapping[str, Mapping[str, Any]]


def load(folder: Path = RESULTS) -> dict[str, dict[str, Any]]:
    """Return the saved results of the benchmarks, by name.

    Raises:
        ValueError: If a file is missing, or the results are of different machines.
    """
    results = {}
    for name in BENCHMARKS:
        path = folder / f'{name}.json'
        if not path.is_file():
            raise ValueError(
                f'{path.name} is missing: python benchmarks/{name}.py '
                f'--json docs/benchmarks/{path.name}'
            )
        results[name] = json.loads(path.read_text(encoding='utf-8'))
    first = results[BENCHMARKS[0]]['machine']
    for name, result in results.items():
        if result['machine'] != first:
            raise ValueError(
                f'{name}.json and {BENCHMARKS[0]}.json are of different machines or '
                'versions: run all benchmarks on one'
            )
    return results


def as_table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Return a table in Markdown."""
    lines = [head, ['---'] * len(head), *rows]
    return '\n'.join(f'| {" | ".join(cells)} |' for cells in lines)


def of_machine(results: Results) -> str:
    """Return a description of the machine."""
    host = results['inference']['machine']
    versions = ', '.join(f'{name} {v}' for name, v in host['versions'].items())
    bf16 = 'bf16 products' if host['bf16_products'] else 'no bf16 products'
    if host['bf16_matrix_units']:
        bf16 = 'bf16 matrix units'
    threads = results['inference']['settings']['threads']
    return (
        f'{host["processor"]}, {host["cores"]} cores, {host["vector_instructions"]}, '
        f'{bf16}, {host["system"]}; {versions}; {threads} threads.'
    )


def of_targets(results: Results, limited: Results) -> str:
    """Return a table of the targets and the measured ratios."""
    host = results['inference']['machine']
    rows = []
    for target in TARGETS:
        value = target.measured(results)
        verdict = 'reached' if value <= target.limit else '**missed**'
        if target.matrix_units and not host['bf16_matrix_units']:
            verdict += ', without bf16 matrix units'
        other = f'{target.measured(limited):.2f}'
        rows.append(
            [target.what, f'{target.limit:.2f}', f'{value:.2f}', verdict, other]
        )
    return as_table(['', 'at most', 'measured', '', 'with AVX2 alone'], rows)


def of_pairs(result: Mapping[str, Any]) -> str:
    """Return the times and the ratios of a benchmark."""
    times = [
        [
            name,
            f'{case["median_ms"]:.2f}',
            f'{case["p5_ms"]:.2f} to {case["p95_ms"]:.2f}',
        ]
        for name, case in result['cases'].items()
    ]
    parts = [
        f'`{result["command"]}`',
        as_table(['', 'median, ms', '5 to 95 %'], times),
    ]
    ratios = [
        [
            f'{ratio["case"]} / {ratio["base"]}',
            f'{ratio["ratio"]:.2f}',
            f'{ratio["ratio_of_pairs"]:.2f}',
            f'{ratio["p5"]:.2f} to {ratio["p95"]:.2f}',
        ]
        for ratio in result['ratios']
    ]
    head = ['', 'ratio of medians', 'median of ratios', '5 to 95 %']
    return '\n\n'.join([*parts, as_table(head, ratios)])


def of_inference(result: Mapping[str, Any]) -> str:
    """Return times, ratios and firing rates."""
    rates = sorted(result['firing_rates'])
    shown = ', '.join(
        f'{100 * rate:.0f} %' for rate in (rates[0], median(rates), rates[-1])
    )
    note = f'Firing rates of its layers (minimum, median, maximum): {shown}.'
    return f'{of_pairs(result)}\n\n{note}'


def of_memory(result: Mapping[str, Any]) -> str:
    """Return the bytes held for the backward pass, and the times."""
    columns = [result['held_bytes'], result['with_parameters_bytes']]
    rows = [
        [
            name,
            *(
                cell
                for held in columns
                for cell in (
                    f'{held[name] / 2**20:.1f}',
                    f'{held[name] / held[ANN]:.2f}',
                )
            ),
        ]
        for name in columns[0]
    ]
    head = ['', 'held, MiB', '/ ANN', 'with parameters, MiB', '/ ANN']
    return '\n\n'.join([as_table(head, rows), of_pairs(result)])


def of_growth(result: Mapping[str, Any]) -> str:
    """Return one table per variable, with R^2 of the fitted lines."""
    parts = [f'`{result["command"]}`']
    for growth in result['growth']:
        columns = ('inference_ms', 'training_ms', 'held_mib')
        rows = [
            [f'{value}', *(f'{growth[column][i]:.1f}' for column in columns)]
            for i, value in enumerate(growth['values'])
        ]
        fits = growth['fits']
        rows.append(
            ['R^2 of a line', *(f'{fits[column]["r2"]:.4f}' for column in columns)]
        )
        head = [
            growth['variable'],
            'inference, ms',
            'training step, ms',
            'held, MiB',
        ]
        parts.append(as_table(head, rows))
    return '\n\n'.join(parts)


def of_detector(result: Mapping[str, Any]) -> str:
    """Return times, ratios and the times of the parts."""
    parts = [of_pairs(result)]
    first, base = result['parts']
    for kind, spans in result['parts'][first].items():
        other = result['parts'][base][kind]
        rows = [
            [name, f'{ms:.1f}', f'{other[name]:.1f}' if name in other else '-']
            for name, ms in spans.items()
        ]
        parts.append(as_table([f'{kind}, ms', first, base], rows))
    return '\n\n'.join(parts)


SECTIONS: Mapping[str, Callable[[Results], str]] = {
    'the machine': of_machine,
    'the targets': lambda results: of_targets(results, load(AVX2)),
    'inference': lambda results: of_inference(results['inference']),
    'training': lambda results: of_pairs(results['training']),
    'memory': lambda results: of_memory(results['memory']),
    'growth': lambda results: of_growth(results['growth']),
    'bf16': lambda results: of_pairs(results['precision']),
    'the detector': lambda results: of_detector(results['detector']),
    'kernels': lambda results: of_pairs(results['kernels']),
    'contention': lambda results: of_pairs(results['contention']),
}


def render(page: str, results: Results | None = None) -> str:
    """Return ``page`` with its tables replaced.

    Raises:
        ValueError: If a mark or a benchmark is missing, or the results are of
            different machines.
    """
    results = load() if results is None else results
    for name, write in SECTIONS.items():
        marks = f'<!-- {name}: {COMMAND} -->', f'<!-- end of {name} -->'
        page = replace_part(page, PAGE.name, *marks, write(results))
    return page


def draw(result: Mapping[str, Any], path: Path) -> None:
    """Plot growth with time steps and with pixels, relative to the largest value."""
    import matplotlib

    matplotlib.use('Agg')
    from matplotlib import pyplot as plt

    columns = {
        'inference_ms': 'inference, time',
        'training_ms': 'training step, time',
        'held_mib': 'held for the backward pass',
    }
    figure, axes = plt.subplots(1, 2, figsize=(9, 3.4), constrained_layout=True)
    for axis, growth in zip(axes, result['growth'], strict=True):
        for (column, label), marker in zip(columns.items(), 'osd', strict=True):
            values = growth[column]
            share = [value / values[-1] for value in values]
            axis.plot(growth['values'], share, marker=marker, label=label)
        axis.set_xlim(left=0)
        axis.set_ylim(bottom=0)
        axis.set_xlabel(growth['variable'])
        axis.set_ylabel('of the largest')
        axis.grid(alpha=0.3)
    axes[0].legend()
    figure.savefig(path, dpi=110)
    plt.close(figure)


def main() -> None:
    """Rewrite the page and the plot."""
    argparse.ArgumentParser(description=__doc__).parse_args()
    results = load()
    PAGE.write_text(render(PAGE.read_text(encoding='utf-8'), results), encoding='utf-8')
    draw(results['growth'], PLOT)


if __name__ == '__main__':
    main()
