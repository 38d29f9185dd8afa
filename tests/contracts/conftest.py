"""Fixtures of the contracts."""

from test_ops.conftest import implementation  # noqa: F401
