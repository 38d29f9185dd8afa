"""Checkpoints that are of no use, made from a whole one."""

import os
import pickle
import zipfile
from collections.abc import Callable
from copy import deepcopy
from pathlib import Path
from typing import Any

import torch

from mmsnn.utils.checkpoints import load_file

Checkpoint = dict[str, Any]
WEIGHT = 'layers.0.weight'


def _with_weights(change: Callable[[Checkpoint], Any]) -> Callable[[Checkpoint], Any]:
    """Return what changes a checkpoint's weights, and those of its average alike."""

    def apply(checkpoint: Checkpoint) -> Checkpoint:
        state = change(checkpoint['state_dict'])
        averaged = checkpoint.pop('ema_state_dict')
        if isinstance(state, dict):
            averaged = {f'module.{name}': value for name, value in state.items()}
        return dict(checkpoint, state_dict=state, ema_state_dict=averaged)

    return apply


def _each(change: Callable[[torch.Tensor], Any]) -> Callable[[Checkpoint], Any]:
    return _with_weights(lambda state: {k: change(v) for k, v in state.items()})


def _without(*names: str) -> Callable[[Checkpoint], Checkpoint]:
    return lambda checkpoint: {k: v for k, v in checkpoint.items() if k not in names}


def _replaced(**sections: Any) -> Callable[[Checkpoint], Checkpoint]:
    return lambda checkpoint: checkpoint | sections


def _replaced_info(**values: Any) -> Callable[[Checkpoint], Checkpoint]:
    def apply(checkpoint: Checkpoint) -> Checkpoint:
        checkpoint['message_hub']['runtime_info'].update(values)
        return checkpoint

    return apply


def _nan(value: torch.Tensor) -> torch.Tensor:
    return torch.full_like(value, torch.nan) if value.is_floating_point() else value


def _negate_variances(state: Checkpoint) -> Checkpoint:
    return {
        name: value - 9 if name.endswith('running_var') else value
        for name, value in state.items()
    }


def _with_moments(
    change: Callable[[torch.Tensor], torch.Tensor],
) -> Callable[[Checkpoint], Checkpoint]:
    """Return what changes the optimizer's momentum of each parameter."""

    def apply(checkpoint: Checkpoint) -> Checkpoint:
        for state in checkpoint['optimizer']['state'].values():
            state['momentum_buffer'] = change(state['momentum_buffer'])
        return checkpoint

    return apply


CONTENTS: dict[str, Callable[[Checkpoint], Any]] = {
    'a list': lambda checkpoint: [1, 2],
    'a number': lambda checkpoint: 3,
    'a tensor': lambda checkpoint: torch.ones(2),
    'nothing': lambda checkpoint: {},
    'meta alone': lambda checkpoint: {'meta': checkpoint['meta']},
    'no weights': _with_weights(lambda state: {}),
    'weights None': _with_weights(lambda state: None),
    'weights a list': _with_weights(lambda state: list(state.values())),
    'weights a tensor': _with_weights(lambda state: torch.ones(3)),
    'integer keys': _with_weights(lambda state: dict(enumerate(state.values()))),
    'one integer key': _with_weights(lambda state: state | {0: torch.ones(1)}),
    'integer weights': _each(lambda value: value.long()),
    'complex weights': _each(lambda value: value.to(torch.complex64)),
    'numbers for weights': _each(lambda value: value.tolist()),
    'NaN weights': _each(_nan),
    'negative variances': _with_weights(_negate_variances),
    'transposed weights': _each(lambda value: value.t() if value.ndim > 1 else value),
    'other shapes': _each(lambda value: torch.ones(3, 3)),
    'other names': _with_weights(lambda state: {f'x.{k}': v for k, v in state.items()}),
    'a few weights': _with_weights(lambda state: dict(list(state.items())[:3])),
}
"""What no tool accepts."""

UNRESUMABLE: dict[str, Callable[[Checkpoint], Any]] = {
    'bare weights': lambda checkpoint: checkpoint['state_dict'],
    'no optimizer': _without('optimizer'),
    'no average': _without('ema_state_dict'),
    'no schedulers': _without('param_schedulers'),
    'no hub': _without('message_hub'),
    'no meta': _without('meta'),
    'meta a list': _replaced(meta=[1]),
    'meta a tensor': _replaced(meta=torch.ones(2)),
    'no epoch': _replaced(meta=dict(iter=2)),
    'epoch a text': _replaced(meta=dict(epoch='1', iter=2)),
    'epoch negative': _replaced(meta=dict(epoch=-1, iter=2)),
    'hub a list': _replaced(message_hub=[1]),
    'hub empty': _replaced(message_hub={}),
    'hub of lists': _replaced(
        message_hub=dict(log_scalars=[], runtime_info=[], resumed_keys=[])
    ),
    'optimizer a text': _replaced(optimizer='SGD'),
    'optimizer empty': _replaced(optimizer={}),
    'optimizer without groups': _replaced(optimizer=dict(state={}, param_groups=[])),
    'moments of another shape': _with_moments(lambda value: value[None]),
    'NaN moments': _with_moments(_nan),
    'two schedulers': lambda c: c | dict(param_schedulers=c['param_schedulers'] * 2),
    'schedulers of numbers': _replaced(param_schedulers=[1]),
    'schedulers a text': _replaced(param_schedulers='x'),
    'average of another model': _replaced(
        ema_state_dict={'module.layers.0.weight': torch.ones(9)}
    ),
    'average empty': _replaced(ema_state_dict={}),
    'average a list': _replaced(ema_state_dict=[1]),
    'average with integer keys': _replaced(ema_state_dict={1: torch.ones(1)}),
    'kept a number': _replaced_info(keep_ckpt_ids=3),
    'kept texts': _replaced_info(keep_ckpt_ids=['1']),
    'best a number': _replaced_info(best_ckpt=3),
    'replaced numbers': lambda c: c | dict(mmsnn=c['mmsnn'] | {'outdated': [1]}),
    'generators empty': _replaced(mmsnn={}),
    'generators a list': _replaced(mmsnn=[]),
    'generators of numbers': lambda c: c | dict(mmsnn=c['mmsnn'] | {'generators': [1]}),
    'more weights': lambda c: (
        c | dict(state_dict=c['state_dict'] | {'layers.9.weight': torch.ones(1)})
    ),
}
"""What can be tested, but not be resumed from."""


def _cut(path: Path, content: bytes) -> None:
    path.write_bytes(content[: len(content) // 2])


def _overwrite(path: Path, content: bytes) -> None:
    middle = len(content) // 2
    path.write_bytes(content[:middle] + bytes(400) + content[middle + 400 :])


def _zip(path: Path, content: bytes) -> None:
    with zipfile.ZipFile(path, 'w') as archive:
        archive.writestr('a.txt', 'text')


FILES: dict[str, Callable[[Path, bytes], Any]] = {
    'missing': lambda path, content: None,
    'a folder': lambda path, content: path.mkdir(),
    'a pipe': lambda path, content: os.mkfifo(path),
    'a broken link': lambda path, content: path.symlink_to('gone'),
    'empty': lambda path, content: path.touch(),
    'text': lambda path, content: path.write_text('hello'),
    'a pickle': lambda path, content: path.write_bytes(pickle.dumps([1, 2])),
    'cut': _cut,
    'without its end': lambda path, content: path.write_bytes(content[:-1]),
    'overwritten': _overwrite,
    'another archive': _zip,
}
"""Files of which nothing can be loaded, from a path and a whole file's bytes."""

SAYS = {
    'missing': 'does not exist',
    'a folder': 'is not a file',
    'empty': 'is not a checkpoint that torch can load (EOFError',
    'text': 'is not a checkpoint that torch can load (',
    'a pickle': 'is not a checkpoint that torch can load (',
    'a list': 'holds no weights',
    'meta alone': 'holds no weights',
    'other names': 'fits no parameter of the model',
}
"""What is said of some of them."""


def write(name: str, path: Path, whole: Path) -> None:
    """Write the malformed checkpoint of that name to ``path``."""
    if name in FILES:
        FILES[name](path, whole.read_bytes())
        return
    checkpoint = load_file(str(whole))
    torch.save((CONTENTS | UNRESUMABLE)[name](deepcopy(checkpoint)), path)
