"""Reading checkpoints in one form, and what makes one useless."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from mmsnn.utils.checkpoint_keys import unify_keys
from mmsnn.utils.checkpoints import (
    check_weights,
    read_checkpoint,
    read_weights,
    read_with_classes,
)
from mmsnn.utils.errors import UserError


def test_a_bare_state_dict_becomes_a_checkpoint() -> None:
    checkpoint = nn.BatchNorm1d(2).state_dict()
    versions = checkpoint._metadata
    unify_keys(checkpoint)
    assert list(checkpoint) == ['state_dict']
    assert 'running_mean' in checkpoint['state_dict']
    assert checkpoint['state_dict']._metadata == versions


def test_prefixes() -> None:
    weight = torch.ones(1)
    checkpoint = {
        'meta': {},
        'state_dict': {'module.a': weight, 'b': weight},
        'ema_state_dict': {'module.module.a': weight, 'module.b': weight, 'steps': 3},
    }
    unify_keys(checkpoint)
    assert list(checkpoint['state_dict']) == ['a', 'b']
    assert list(checkpoint['ema_state_dict']) == ['module.a', 'module.b', 'steps']
    assert checkpoint['meta'] == {}


def test_read(tmp_path: Path) -> None:
    """Also without checksums; remote ones are not read."""
    path, state = tmp_path / 'a.pth', {'a': torch.ones(2)}
    for crc32, content in (
        (True, state),
        (True, {'state_dict': state, 'meta': {}, 'message_hub': {}}),
        (False, state),
    ):
        torch.serialization.set_crc32_options(crc32)
        try:
            torch.save(content, path)
        finally:
            torch.serialization.set_crc32_options(True)
        read = read_checkpoint(str(path))
        assert read is not None
        assert torch.equal(read['a'], state['a'])
    assert read_checkpoint('https://example.org/x.pth') is None


@pytest.mark.parametrize(
    ('meta', 'classes'),
    [
        ({'dataset_meta': {'classes': ('cat', 'dog')}}, ('cat', 'dog')),
        ({'dataset_meta': {'classes': 'cat'}}, ()),
        ({'dataset_meta': None}, ()),
        (None, ()),
    ],
)
def test_classes(tmp_path: Path, meta: Any, classes: tuple[str, ...]) -> None:
    path = tmp_path / 'a.pth'
    torch.save({'state_dict': {'a': torch.ones(2)}, 'meta': meta}, path)
    assert read_with_classes(str(path))[1] == classes


@pytest.mark.parametrize('read', [read_checkpoint, read_weights])
@pytest.mark.parametrize('start', [0.2, 0.5, 0.8])
def test_overwritten_bytes(
    tmp_path: Path, read: Callable[[str], Any], start: float
) -> None:
    """torch.load does not notice them; the weights would be others."""
    path = tmp_path / 'x.pth'
    torch.save({'a': torch.ones(20000)}, path)
    read(str(path))
    with path.open('r+b') as file:
        file.seek(int(start * path.stat().st_size))
        file.write(bytes(range(1, 251)) * 20)
    assert not torch.load(path)['a'].eq(1).all()
    with pytest.raises(UserError, match='is damaged') as caught:
        read(str(path))
    assert repr(str(path)) in str(caught.value)


@pytest.mark.parametrize('dtype', [torch.float32, torch.bfloat16, torch.complex64])
@pytest.mark.parametrize('value', [float('nan'), float('inf')])
def test_first_non_finite_weight_is_named(value: float, dtype: torch.dtype) -> None:
    """Masks may be infinite."""
    state = {name: torch.ones(3, dtype=dtype) for name in 'abc'}
    state['mask'] = torch.full((3, 3), float('-inf')).triu(1)
    check_weights(state, 'https://x')
    state['b'][1] = state['c'][0] = value
    with pytest.raises(UserError, match=r"1 of the 3 values of 'b'"):
        check_weights(state, 'https://x')


def test_a_variance_is_not_negative() -> None:
    state = {'norm.running_mean': torch.tensor([-1.0]), 'a': torch.tensor([-1.0])}
    check_weights(state, 'https://x')
    state['norm.running_var'] = torch.tensor([1.0, -2.0])
    with pytest.raises(UserError, match=r"'norm\.running_var' .* least value is -2"):
        check_weights(state, 'https://x')


def test_keys_are_strings() -> None:
    with pytest.raises(UserError, match=r'must be strings, but one is 3 \(int\)'):
        check_weights({'a': torch.ones(1), 3: torch.ones(1)}, 'https://x')
