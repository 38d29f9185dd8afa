"""Compare mmsnn on a GPU with other implementations.

Neurons are compared with a loop over time in PyTorch, the same loop compiled by
torch.compile, SpikingJelly's fused neurons and a ReLU; the gate with its formula; a
spiking ResNet18 with torchvision's on a batch of T times as many images and with
SpikingJelly's sew_resnet18, in inference, training steps and their peak memory. The
compared cases take turns. Rows of packages that are not installed are left out; mmsnn's
operators need PyTorch and Triton, its networks also MMEngine. In fp32, PyTorch's
convolutions use TF32 on GPUs that support it, which is PyTorch's default.

Usage:
    python benchmarks/gpu.py [--pairs 20] [--images 16] [--size 224] [--steps 4]
        [--threads 2] [--json FILE]
"""

import argparse
import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import _pairs

from mmsnn.utils.errors import UserError

Result = dict[str, Any]


def main() -> None:
    """Measure, print and save.

    Raises:
        UserError: If there is no CUDA device, or an option is wrong.
    """
    args = _pairs.parse_args(
        'Measure neurons and networks on a GPU',
        pairs=20,
        images=(16, 'batch size N'),
        size=(224, 'height and width of the images'),
        steps=(4, 'time steps T'),
    )
    import torch

    if not torch.cuda.is_available():
        raise UserError('benchmarks/gpu.py needs a CUDA device, but PyTorch finds none')
    result = measure(args)
    print(report(result))
    if args.json is not None:
        path = Path(args.json)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(result, indent=2) + '\n', encoding='utf-8')
        print(f'Saved {path}')


def measure(args: argparse.Namespace) -> Result:
    """Return all times, ratios and peaks, with the settings, the GPU and versions."""
    import _gpu_cases as gpu
    import torch

    left_out: dict[str, str] = {}
    sections = {'neurons': _times(gpu.neurons(args, left_out), args.pairs)}
    networks = gpu.networks(args, left_out)
    for network in networks.values():
        network.net.eval()
    section = gpu.network_section(networks, gpu.Network.infer)
    sections['inference'] = _times(section, args.pairs)
    for network in networks.values():
        network.net.train()
    section = gpu.network_section(networks, gpu.Network.train)
    sections['training'] = _times(section, args.pairs)
    settings = {name: value for name, value in vars(args).items() if name != 'json'}
    options = ' '.join(f'--{name} {value}' for name, value in settings.items())
    card = torch.cuda.get_device_properties(0)
    return {
        'benchmark': 'gpu',
        'command': f'python benchmarks/gpu.py {options}',
        'settings': settings,
        'card': card.name,
        'capability': f'{card.major}.{card.minor}',
        'memory_gib': round(card.total_memory / 2**30, 1),
        'cuda': torch.version.cuda,
        'versions': _pairs.versions(),
        'sections': sections,
        'peak_mib': {
            f'{name}, {precision}': network.peak_mib(precision == 'bf16')
            for precision in gpu.PRECISIONS
            for name, network in networks.items()
        },
        'left_out': left_out,
    }


def _times(section: Any, pairs: int) -> Result:
    """Return the times per call of a section's cases, and the ratios of its pairs."""
    import torch

    def timed(case: _pairs.Case) -> _pairs.Case:
        def run() -> None:
            for _ in range(section.calls):
                case()
            torch.cuda.synchronize()

        return run

    cases = {name: timed(case) for name, case in section.cases.items()}
    times = {
        name: [seconds / section.calls for seconds in all_seconds]
        for name, all_seconds in _pairs.take_turns(cases, pairs).items()
    }
    return {
        'cases': _pairs.describe(times),
        'ratios': [_pairs.compare(times, case, base) for case, base in section.pairs],
    }


def report(result: Mapping[str, Any]) -> str:
    """Return the results as Markdown, with the name of the card."""
    versions = ', '.join(f'{name} {v}' for name, v in result['versions'].items())
    parts = [
        f'`{result["command"]}`',
        f'{result["card"]}, {result["memory_gib"]} GiB, compute capability '
        f'{result["capability"]}, CUDA {result["cuda"]}; {versions}',
    ]
    for title, section in result['sections'].items():
        cases = [
            (name, _number(case['median_ms']), _range(case, '_ms'))
            for name, case in section['cases'].items()
        ]
        ratios = [
            (
                f'{ratio["case"]} / {ratio["base"]}',
                _number(ratio['ratio']),
                _number(ratio['ratio_of_pairs']),
                _range(ratio),
            )
            for ratio in section['ratios']
        ]
        parts += [
            f'## {title.capitalize()}',
            table((title, 'median, ms', '5 to 95 %'), cases),
        ]
        head = ('', 'ratio of medians', 'median of ratios', '5 to 95 %')
        parts.append(table(head, ratios))
    peaks = [(name, _number(mib)) for name, mib in result['peak_mib'].items()]
    parts += ['## Memory', table(('training step', 'peak, MiB'), peaks)]
    parts += [f'Left out: {name} ({why})' for name, why in result['left_out'].items()]
    return '\n\n'.join(part for part in parts if part)


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Return a Markdown table, or an empty string if it has no rows."""
    if not rows:
        return ''
    lines = [head, ['---'] * len(head), *rows]
    return '\n'.join(f'| {" | ".join(line)} |' for line in lines)


def _number(value: float) -> str:
    return f'{value:.3f}' if value < 10 else f'{value:.1f}'


def _range(values: Mapping[str, float], unit: str = '') -> str:
    return f'{_number(values["p5" + unit])} to {_number(values["p95" + unit])}'


if __name__ == '__main__':
    try:
        main()
    except UserError as error:
        print(f'error: {error}', file=sys.stderr)
        raise SystemExit(2) from error
