"""Tables that users extend."""

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mmsnn.datasets.events import LAYOUTS, EventLayout
from mmsnn.datasets.events.readers import read_events
from mmsnn.models.backbones.named_resnets import MSResNet
from mmsnn.models.residual import FAMILIES
from mmsnn.models.stems import STEM_PRESETS
from mmsnn.utils import NamedRows


def test_a_table_reads_as_a_dict() -> None:
    table = NamedRows('number', int, {'one': 1})
    table.register('two', 2)
    assert table == {'one': 1, 'two': 2}
    assert [*table] == ['one', 'two']


@pytest.mark.parametrize(
    ('name', 'row', 'error', 'message'),
    [
        ('one', 3, ValueError, "must be new and not empty, but got 'one'; taken"),
        ('', 3, ValueError, "but got ''"),
        (None, 3, TypeError, 'the name of a number must be a string, but got None'),
        ('three', '3', TypeError, "number 'three' must be a int, but got '3' (str)"),
    ],
)
def test_mistakes(name: Any, row: Any, error: type[Exception], message: str) -> None:
    table = NamedRows('number', int, {'one': 1})
    with pytest.raises(error, match=re.escape(message)):
        table.register(name, row)
    assert table == {'one': 1}


@pytest.mark.parametrize('table', [FAMILIES, STEM_PRESETS, LAYOUTS])
def test_the_packages_tables_are_guarded(table: NamedRows[Any]) -> None:
    taken = next(iter(table))
    with pytest.raises(ValueError, match='must be new'):
        table.register(taken, table[taken])
    with pytest.raises(TypeError, match="'mine' must be a"):
        table.register('mine', 'a row')


@pytest.mark.parametrize(
    ('options', 'strides'),
    [
        (dict(stride=2, pool=False), 2),
        (dict(stride=2, pool=True), 1),
        (dict(stride=1, pool=True), 2),
        # those of BaseStem
        (dict(pool=False), 2),
        (dict(stride=2), 1),
        (dict(stride=1), 2),
    ],
)
def test_the_stride_of_a_preset_of_ones_own(
    options: dict[str, Any], strides: int
) -> None:
    preset = dict(type='DirectStem', kernel_size=5, **options)
    STEM_PRESETS.register('mine', preset)
    try:
        first = MSResNet(10, stem='mine', base_channels=4).stages[0][0]
    finally:
        STEM_PRESETS.pop('mine')
    assert first.branch[0].conv.stride == (strides, strides)


def test_an_event_layout_of_ones_own(tmp_path: Path) -> None:
    def read(path: Path) -> dict[str, np.ndarray]:
        columns = np.loadtxt(path, dtype=int, delimiter=',', ndmin=2).T
        return dict(zip('txyp', columns, strict=True))

    path = tmp_path / 'events.csv'
    path.write_text('3,1,2,0\n5,0,7,1\n')
    LAYOUTS.register('csv', EventLayout('.csv', read))
    try:
        events = read_events(path, 'csv')
    finally:
        LAYOUTS.pop('csv')
    rows = [events[name].tolist() for name in 'txyp']
    assert rows == [[3, 5], [1, 0], [2, 7], [0, 1]]
