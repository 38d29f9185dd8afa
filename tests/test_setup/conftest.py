from pathlib import Path

import pytest


@pytest.fixture
def root() -> Path:
    """Return the folder of this project."""
    return Path(__file__).resolve().parents[2]
