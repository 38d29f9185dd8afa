"""Hostile files are refused, real checkpoints and predictions are loaded."""

import pickle
from argparse import Namespace
from pathlib import Path
from typing import Any

import mmengine
import numpy as np
import pytest
import torch
from mmengine.config import ConfigDict
from mmengine.evaluator import DumpResults
from mmengine.logging import HistoryBuffer, MessageHub
from torch.serialization import get_safe_globals, safe_globals

from mmsnn.utils import safe_loading
from mmsnn.utils.safe_loading import (
    UnsafeContentError,
    load_predictions,
    load_safely,
)

from . import hostile

ALLOWED = 'only tensors, arrays of numbers and plain data'


@pytest.mark.parametrize('trick', hostile.TRICKS)
def test_tricks(trick: str, tmp_path: Path, marker: Path) -> None:
    """Each is an error, also if the process has added what the trick needs."""
    path = hostile.write_trick(tmp_path / 'a.pth', trick, marker)
    statistics = dict(HistoryBuffer()._statistics_methods)
    added = [getattr, eval, HistoryBuffer, Namespace, np.ndarray, np.dtype, Path]
    with safe_globals(added):
        before = set(get_safe_globals())
        with pytest.raises((UnsafeContentError, TypeError)):
            load_safely(path)
        assert set(get_safe_globals()) == before
    assert HistoryBuffer._statistics_methods == statistics
    assert not marker.exists()


@pytest.mark.filterwarnings('ignore:.*looks like a TorchScript archive')
@pytest.mark.parametrize('variable', ['FORCE_WEIGHTS_ONLY', 'FORCE_NO_WEIGHTS_ONLY'])
@pytest.mark.parametrize('value', ['0', '1'])
def test_other_formats(
    variable: str,
    value: str,
    tmp_path: Path,
    marker: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv(f'TORCH_{variable}_LOAD', value)
    for path in hostile.write_other_formats(tmp_path, marker):
        with pytest.raises((UnsafeContentError, pickle.UnpicklingError, RuntimeError)):
            load_safely(path)
    assert not marker.exists()


def test_the_message_names_file_and_object(tmp_path: Path, marker: Path) -> None:
    path = hostile.write_trick(tmp_path / 'a.pth', 'eval', marker)
    with pytest.raises(UnsafeContentError, match=f"'{path}' holds eval, but {ALLOWED}"):
        load_safely(path)
    path = hostile.write_trick(tmp_path / 'b.pth', 'getattr', marker)
    with pytest.raises(UnsafeContentError, match=f"'{path}' holds the attribute '__bu"):
        load_safely(path)


def run_state() -> dict[str, Any]:
    """What MMEngine's Runner saves of a run, and arrays of every kind."""
    hub = MessageHub('safe_loading')
    for value in (1.0, 0.5, 0.25):
        hub.update_scalar('train/loss', value)
    hub.update_info('best', np.float64(0.5))
    parameter = torch.nn.Parameter(torch.ones(2))
    optimizer = torch.optim.AdamW([parameter])
    parameter.grad = torch.ones(2)
    optimizer.step()
    return dict(
        state_dict={'a': parameter.detach(), 'b': torch.ones(3, dtype=torch.bfloat16)},
        ema_state_dict={'module.a': parameter.data, 'steps': torch.tensor(3)},
        optimizer=optimizer.state_dict(),
        message_hub=hub.state_dict(),
        meta=dict(epoch=1, dataset_meta=ConfigDict(classes=('x',), more=dict(a=[1]))),
        random=np.random.get_state(),
        arrays=[
            np.arange(6, dtype='>f4').reshape(2, 3),
            np.arange(6).reshape(2, 3).T,
            np.array([True, False]),
            np.array([]),
            np.array(2 + 1j),
            np.array(['a', 'bc']),
        ],
        scalars=[np.int64(3), np.float32(0.5), np.bool_(True), b'', b'x', slice(1, 2)],
        args=Namespace(lr=1),
    )


def test_a_run_is_loaded(tmp_path: Path) -> None:
    """Everything as it was, and the same when it is saved and loaded again."""
    expected = run_state()
    path = tmp_path / 'a.pth'
    torch.save(expected, path)
    for _ in range(2):
        loaded = load_safely(path)
        assert torch.equal(loaded['state_dict']['b'], expected['state_dict']['b'])
        assert loaded['meta'] == expected['meta']
        moments = loaded['optimizer']['state'][0]['exp_avg']
        assert torch.equal(moments, expected['optimizer']['state'][0]['exp_avg'])
        for array, known in zip(loaded['arrays'], expected['arrays'], strict=True):
            assert array.dtype == known.dtype.newbyteorder('=')
            np.testing.assert_array_equal(array, known)
        assert loaded['scalars'] == expected['scalars']
        np.random.seed(7)
        np.random.set_state(loaded['random'])
        assert np.random.get_state()[1].tolist() == expected['random'][1].tolist()
        torch.save(loaded, path)
        assert b'mmsnn' not in path.read_bytes().replace(str(path).encode(), b'')


def test_a_message_hub_goes_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its histories are MMEngine's own again, and are written to."""
    torch.save(run_state(), tmp_path / 'a.pth')
    # as in a process without a history so far
    monkeypatch.setattr(HistoryBuffer, '_statistics_methods', {})
    hub = MessageHub('safe_loading_resumed')
    hub.load_state_dict(load_safely(tmp_path / 'a.pth')['message_hub'])
    losses = hub.get_scalar('train/loss')
    assert type(losses) is HistoryBuffer
    assert losses.statistics('mean', 2) == 0.375
    hub.update_scalar('train/loss', 4.0)
    assert losses.data[0].tolist() == [1, 0.5, 0.25, 4]
    assert hub.get_info('best') == 0.5


def dump(samples: list[dict[str, Any]], path: Path) -> None:
    metric = DumpResults(str(path))
    metric.process(None, samples)
    metric.compute_metrics(metric.results)


def test_predictions(tmp_path: Path) -> None:
    """What the metric behind ``tools/test.py --out`` writes."""
    sample = dict(
        img_id=3,
        ori_shape=(4, 5),
        scale_factor=(np.float64(0.5), 0.5),
        homography=np.eye(3),
        pred_instances=dict(bboxes=torch.ones(2, 4), labels=torch.tensor([1, 2])),
    )
    dump([sample], tmp_path / 'a.pkl')
    (loaded,) = load_predictions(tmp_path / 'a.pkl')
    assert torch.equal(loaded['pred_instances']['labels'], torch.tensor([1, 2]))
    assert loaded['scale_factor'] == (0.5, 0.5)
    np.testing.assert_array_equal(loaded['homography'], np.eye(3))


@pytest.mark.parametrize('protocol', [4, 5])
def test_another_protocol_of_pickle(tmp_path: Path, protocol: int) -> None:
    (tmp_path / 'a.pkl').write_bytes(pickle.dumps([{}], protocol))
    with pytest.raises(ValueError, match=f'protocol {protocol}, but protocol 2'):
        load_predictions(tmp_path / 'a.pkl')


class _Nested:
    """Pickled as a tensor is, with a hostile checkpoint in place of its storage."""

    def __init__(self, file: Path) -> None:
        self.file = file

    def __reduce__(self) -> Any:
        return torch.storage._load_from_bytes, (self.file.read_bytes(),)


def test_hostile_predictions(tmp_path: Path, marker: Path) -> None:
    files = []
    for number, trick in enumerate(hostile.TRICKS):
        files.append(tmp_path / f'{number}.pkl')
        files[-1].write_bytes(hostile.checkpoint(hostile.TRICKS[trick](marker)))
    inner = hostile.write_trick(tmp_path / 'inner.pth', 'eval', marker)
    for number, content in enumerate((hostile.Touch(marker), _Nested(inner))):
        files.append(tmp_path / f'more_{number}.pkl')
        mmengine.dump([content], files[-1])
    for file in files:
        with pytest.raises((UnsafeContentError, TypeError, IndexError)):
            load_predictions(file)
    assert not marker.exists()


def test_nothing_else_is_a_name() -> None:
    """Whoever adds one to the list has to think of a trick for it."""
    own = [value for value, _ in safe_loading._STAND_INS if value is not slice]
    assert {value.__module__ for value in own} == {safe_loading.__name__}
