"""What every registered hook keeps to."""

import inspect
from typing import Any

import mmpretrain  # noqa: F401
import pytest
from mmengine.registry import HOOKS as MMENGINE_HOOKS
from mmengine.registry import DefaultScope

from mmsnn.registry import HOOKS

from .test_arguments import WRONG

HOOKS.import_from_location()
NAMES = sorted(HOOKS.module_dict)
SMALL: dict[str, Any] = dict(train_steps=2, target=1e6, minutes=1.0)


def arguments(name: str) -> dict[str, Any]:
    parameters = inspect.signature(HOOKS.get(name)).parameters
    return {key: SMALL[key] for key in SMALL if key in parameters}


@pytest.mark.parametrize('scope', ['mmdet', 'mmpretrain', 'mmengine'])
@pytest.mark.parametrize('name', NAMES)
def test_it_is_found_from_other_scopes(name: str, scope: str) -> None:
    with DefaultScope.overwrite_default_scope(scope):
        hook = MMENGINE_HOOKS.build(dict(type=f'mmsnn.{name}', **arguments(name)))
    assert type(hook) is HOOKS.get(name)


def mistakes() -> list[tuple[str, str, Any, Any]]:
    found = []
    for name in NAMES:
        for argument, parameter in inspect.signature(
            HOOKS.get(name)
        ).parameters.items():
            wrong = WRONG.get(parameter.annotation, [])
            if parameter.annotation is int:
                wrong = [*wrong, (0, ValueError), (-1, ValueError)]
            found += [(name, argument, value, error) for value, error in wrong]
    return found


@pytest.mark.parametrize(('name', 'argument', 'value', 'error'), mistakes())
def test_wrong_values(name: str, argument: str, value: Any, error: Any) -> None:
    with pytest.raises(error, match=f'{argument} must be .*{value}'):
        HOOKS.get(name)(**{**arguments(name), argument: value})
