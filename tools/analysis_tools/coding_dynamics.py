"""Measure coding dynamics of an encoder; the same as ``mmsnn coding-dynamics``."""

import sys
from pathlib import Path

# a checkout works without being installed
sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from mmsnn.cli.main import run_tool  # noqa: E402

if __name__ == '__main__':
    run_tool('coding_dynamics')
