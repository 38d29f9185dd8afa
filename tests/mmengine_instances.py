"""What MMEngine keeps for a process, and how tests do without it."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from mmengine.utils import ManagerMixin

Instances = dict[type, dict[str, Any]]


@contextmanager
def separate_run() -> Iterator[None]:
    """Forget MMEngine's global instances that come into being meanwhile.

    A Runner leaves a default scope, a logger and a visualizer behind, which the next
    one in this process would use: it would draw into this one's folder and, in the
    same second, write to its log.
    """
    before = instances()
    try:
        yield
    finally:
        restore(before)


def instances() -> Instances:
    return {manager: dict(manager._instance_dict) for manager in _managers()}


def restore(kept: Instances) -> None:
    for manager in _managers():
        manager._instance_dict.clear()
        manager._instance_dict.update(kept.get(manager, {}))


def _managers(root: type = ManagerMixin) -> Iterator[type]:
    for manager in root.__subclasses__():
        yield manager
        yield from _managers(manager)
