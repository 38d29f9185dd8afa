"""The compiled implementation and the reference, side by side."""

from collections.abc import Callable
from typing import Any

import pytest

from mmsnn.ops import native


@pytest.fixture
def reference(monkeypatch: pytest.MonkeyPatch) -> Callable[..., Any]:
    """Return a function that calls another with PyTorch's operations alone."""

    def call(function: Callable[..., Any], *args: Any) -> Any:
        with monkeypatch.context() as patch:
            patch.setattr(native, 'library', lambda: None)
            return function(*args)

    return call


@pytest.fixture(params=['compiled', 'reference'])
def implementation(
    request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> str:
    """Run the test with the compiled implementation and with the reference."""
    if request.param == 'reference':
        monkeypatch.setattr(native, 'library', lambda: None)
    elif native.library() is None:
        pytest.skip('the operators cannot be compiled here')
    return request.param
