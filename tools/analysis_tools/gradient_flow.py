"""Show gradients layer by layer; the same as ``mmsnn gradient-flow``."""

import sys
from pathlib import Path

# a checkout works without being installed
sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from mmsnn.cli.main import run_tool  # noqa: E402

if __name__ == '__main__':
    run_tool('gradient_flow')
