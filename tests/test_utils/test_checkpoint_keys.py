"""Checkpoints in one form, whatever wraps their weights."""

import torch
from torch import nn

from mmsnn.utils.checkpoint_keys import unify_keys


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
