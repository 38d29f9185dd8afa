"""Tiny event data sets, which no test changes."""

from pathlib import Path

import pytest

from .event_files import write_cifar10_dvs, write_dvs128_gesture


@pytest.fixture(scope='session')
def cifar10_dvs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp('cifar10_dvs')
    write_cifar10_dvs(root)
    return root


@pytest.fixture(scope='session')
def gesture(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp('dvs128_gesture')
    write_dvs128_gesture(root / 'DvsGesture')
    return root
