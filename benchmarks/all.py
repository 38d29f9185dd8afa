"""Run every benchmark of a CPU and save what it measures, for docs/performance.md.

Usage:
    python benchmarks/all.py [FOLDER] [--limit avx2]

FOLDER is docs/benchmarks by default. With ``--limit avx2``, PyTorch and oneDNN use no
instructions beyond AVX2, as on a processor without them.
"""

import argparse
import os
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
LIMITS = {
    'avx2': {'ONEDNN_MAX_CPU_ISA': 'AVX2', 'ATEN_CPU_CAPABILITY': 'avx2'},
}


def main() -> int:
    """Run the scripts one after another; return the first exit code that is not 0."""
    parser = argparse.ArgumentParser(description=__doc__.partition('\n')[0])
    parser.add_argument(
        'folder', nargs='?', type=Path, default=HERE.parent / 'docs' / 'benchmarks'
    )
    parser.add_argument('--limit', choices=LIMITS, help='instructions to do without')
    args = parser.parse_args()
    environment = os.environ | LIMITS.get(args.limit, {})
    for script in sorted(HERE.glob('*.py')):
        if script.name.startswith('_') or script.stem in ('all', 'gpu'):
            continue
        print(f'== {script.stem}', flush=True)
        result = args.folder / f'{script.stem}.json'
        command = [sys.executable, str(script), '--json', str(result)]
        code = subprocess.run(command, env=environment).returncode
        if code:
            return code
    return 0


if __name__ == '__main__':
    sys.exit(main())
