"""What the benchmarks share: options, taking turns in one process, tables and JSON.

The speed of a machine drifts by more than the differences to be measured. The compared
cases therefore take turns in one process, and each round gives a ratio.
"""

import argparse
import importlib.metadata
import json
import os
import platform
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from statistics import median
from typing import Any

# a checkout works without being installed
sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from mmsnn.cli.common import exit_codes  # noqa: E402

Case = Callable[[], object]
Times = dict[str, list[float]]

run = exit_codes.run
WARM_UP = 2
DISTRIBUTIONS = (
    'torch',
    'triton',
    'torchvision',
    'spikingjelly',
    'onedl-mmcv',
    'onedl-mmdetection',
)


def parse_args(what: str, pairs: int, **numbers: tuple[int, str]) -> argparse.Namespace:
    """Parse the command line and set the number of threads.

    Args:
        what: One line for the help text.
        pairs: Default number of rounds.
        **numbers: Further options that take a positive integer: default and help.

    Raises:
        UserError: If a number is less than 1.
    """
    from mmsnn.utils.errors import UserError

    parser = argparse.ArgumentParser(
        description=what, formatter_class=argparse.ArgumentDefaultsHelpFormatter
    )
    known = {
        'threads': (2, 'threads of PyTorch and of the kernels'),
        'pairs': (pairs, 'rounds in which each candidate takes its turn'),
        **numbers,
    }
    for name, (default, text) in known.items():
        option = f'--{name.replace("_", "-")}'
        parser.add_argument(option, type=int, default=default, help=text)
    parser.add_argument('--json', help='file to save the results in')
    args = parser.parse_args()
    for name in known:
        if getattr(args, name) < 1:
            option = f'--{name.replace("_", "-")}'
            raise UserError(f'{option} must be at least 1, but got {vars(args)[name]}')

    # after mmsnn, which sets how PyTorch's threads wait, and not for --help
    import torch

    torch.set_num_threads(args.threads)
    torch.manual_seed(0)
    return args


def take_turns(cases: Mapping[str, Case], pairs: int, warm_up: int = WARM_UP) -> Times:
    """Return the seconds of each case in each round, after some warm-up rounds.

    Every other round runs the cases in reverse order, so that no case always follows
    the same one.
    """
    for _ in range(warm_up):
        for case in cases.values():
            case()
    times: Times = {name: [] for name in cases}
    for number in range(pairs):
        for name in list(cases)[:: -1 if number % 2 else 1]:
            start = time.perf_counter()
            cases[name]()
            times[name].append(time.perf_counter() - start)
    return times


def quantile(values: Sequence[float], share: float) -> float:
    """Return the value below which a share of the values lies, interpolated."""
    ordered = sorted(values)
    place = share * (len(ordered) - 1)
    low = int(place)
    high = min(low + 1, len(ordered) - 1)
    return ordered[low] + (place - low) * (ordered[high] - ordered[low])


def describe(times: Times) -> dict[str, dict[str, float]]:
    """Return median and 5 to 95 % range of each case, in ms."""
    return {
        name: {
            'median_ms': 1000 * median(seconds),
            'p5_ms': 1000 * quantile(seconds, 0.05),
            'p95_ms': 1000 * quantile(seconds, 0.95),
        }
        for name, seconds in times.items()
    }


def compare(times: Times, case: str, base: str) -> dict[str, Any]:
    """Return how many times as long as ``base`` a case takes.

    Returns:
        ``ratio`` of the medians, and the median ``ratio_of_pairs`` and the 5 to 95 %
        range of the ratios of single rounds.
    """
    ratios = [a / b for a, b in zip(times[case], times[base], strict=True)]
    return {
        'case': case,
        'base': base,
        'ratio': median(times[case]) / median(times[base]),
        'ratio_of_pairs': median(ratios),
        'p5': quantile(ratios, 0.05),
        'p95': quantile(ratios, 0.95),
    }


def machine() -> dict[str, Any]:
    """Return the properties that the numbers depend on, without the machine's name."""
    import torch

    from mmsnn.ops.build import library

    limit = os.environ.get('ONEDNN_MAX_CPU_ISA')
    return {
        'processor': _processor(),
        'cores': os.cpu_count(),
        'vector_instructions': torch.backends.cpu.get_cpu_capability(),
        'bf16_products': not limit and torch.cpu._is_avx512_bf16_supported(),
        'bf16_matrix_units': not limit and torch.cpu._is_amx_tile_supported(),
        'limited_to': limit,
        'system': platform.system(),
        'kernels': library() is not None,
        'versions': versions(),
    }


def versions() -> dict[str, str]:
    """Return the versions of Python and of the packages that are compared."""
    found = {'python': platform.python_version()}
    for name in DISTRIBUTIONS:
        try:
            found[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue
    return found


def _processor() -> str:
    try:
        for line in Path('/proc/cpuinfo').read_text(encoding='utf-8').splitlines():
            if line.startswith('model name'):
                return line.partition(':')[2].strip()
    except OSError:
        pass
    return platform.processor() or platform.machine()


def save(
    args: argparse.Namespace,
    times: Times,
    pairs: Sequence[tuple[str, str]],
    **values: Any,
) -> dict[str, Any]:
    """Print cases and ratios, and save them if ``--json`` is given.

    Args:
        args: The options.
        times: What :func:`take_turns` returned.
        pairs: Which cases are compared with which.
        **values: Further values to save.

    Returns:
        The results, as they are saved.
    """
    name = Path(sys.argv[0]).stem
    options = [
        f'--{option.replace("_", "-")} {value}'
        for option, value in vars(args).items()
        if option != 'json' and value is not None
    ]
    result = {
        'benchmark': name,
        'command': ' '.join([f'python benchmarks/{name}.py', *options]),
        'settings': {k: v for k, v in vars(args).items() if k != 'json'},
        'machine': machine(),
        'cases': describe(times),
        'ratios': [compare(times, case, base) for case, base in pairs],
        **values,
    }
    _show(result)
    if args.json is not None:
        path = Path(args.json)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(result, indent=2) + '\n', encoding='utf-8')
        print(f'Saved {path}')
    return result


def _show(result: Mapping[str, Any]) -> None:
    host = result['machine']
    print(
        f'{result["command"]}\n{host["processor"]}, {host["cores"]} cores, '
        f'torch {host["versions"]["torch"]}, '
        f'kernels {"on" if host["kernels"] else "off"}'
    )
    width = max((len(name) for name in result['cases']), default=0)
    for name, case in result['cases'].items():
        print(
            f'{name:{width}}  {case["median_ms"]:9.2f} ms '
            f'({case["p5_ms"]:.2f} to {case["p95_ms"]:.2f})'
        )
    for ratio in result['ratios']:
        print(
            f'{ratio["case"]} / {ratio["base"]}: {ratio["ratio"]:.3f}; of pairs '
            f'{ratio["ratio_of_pairs"]:.3f} ({ratio["p5"]:.3f} to {ratio["p95"]:.3f})'
        )
