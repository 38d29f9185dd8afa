"""Failures in one line: which are the user's, and what is said of them."""

import errno
import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from mmcv import imwrite
from mmengine.config import Config
from mmengine.fileio import LocalBackend
from torch._utils import ExceptionWrapper
from torch.utils.data import DataLoader, Dataset

from mmsnn.models import Rate
from mmsnn.utils import check_positive_int, outputs
from mmsnn.utils.errors import UserError, first_line, plain
from mmsnn.utils.failures import explain, explain_failures
from mmsnn.utils.outputs import check_file, check_folder


def raised(function, *args) -> Exception:
    with pytest.raises(Exception) as error:
        function(*args)
    return error.value


def throw(error: BaseException) -> None:
    raise error


class Samples(Dataset):
    def __init__(self, error: Exception) -> None:
        self.error = error

    def __len__(self) -> int:
        return 1

    def __getitem__(self, index: int) -> None:
        raise self.error


@pytest.mark.parametrize('in_worker', [False, True])
@pytest.mark.parametrize(
    ('error', 'line'),
    [
        (UserError('image \x1b[31m1.jpg\x1b[0m\n is empty'), 'image 1.jpg is empty'),
        (FileNotFoundError(errno.ENOENT, 'No such file', 'a.jpg'), 'a.jpg'),
        (KeyError('boxes'), 'a sample cannot be loaded: KeyError: '),
        (TypeError("'int' object is not iterable"), "TypeError: 'int' object is not"),
        (UnicodeDecodeError('utf-8', b'\xff', 0, 1, 'bad'), 'UnicodeDecodeError: '),
    ],
)
def test_samples_that_cannot_be_loaded(
    error: Exception, line: str, in_worker: bool
) -> None:
    def load() -> None:
        try:
            next(iter(DataLoader(Samples(error))))
        except Exception:
            if not in_worker:
                raise
            wrapper = ExceptionWrapper(where='in DataLoader worker process 0')
        # as the loader does with what a worker sends
        wrapper.reraise()

    explained = explain(raised(load))
    assert explained is not None
    assert line in explained
    assert explained.isprintable()
    assert 'Traceback' not in explained


@pytest.mark.parametrize(
    ('error', 'line'),
    [
        (
            RuntimeError('DataLoader worker (pid 7) is killed by signal: Killed. '),
            'num_workers',
        ),
        (MemoryError(), 'out of memory ('),
        (torch.OutOfMemoryError('CUDA out of memory. Tried to'), 'out of memory ('),
        (
            RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory"),
            'out of memory (',
        ),
        (
            RuntimeError('DefaultCPUAllocator: not enough memory: you tried to'),
            'out of memory (',
        ),
        (RuntimeError('cuDNN error: CUDNN_STATUS_ALLOC_FAILED'), 'out of memory ('),
        (
            RuntimeError('[gloo/transport/tcp/pair.cc:547] Connection closed by peer'),
            'lost each other',
        ),
        (torch.distributed.DistError('store'), 'lost each other'),
    ],
)
def test_errors_of_torch(error: Exception, line: str) -> None:
    assert line in explain(raised(throw, error))


def test_errors_that_are_real(tmp_path: Path) -> None:
    assert explain(raised(torch.empty, 1 << 60)).startswith('out of memory (')
    missing = tmp_path / 'missing.txt'
    error = raised(missing.read_text)
    assert explain(error) == f'{str(missing)!r}: No such file or directory'
    assert 'Is a directory' in explain(raised(tmp_path.read_text))
    error = raised(torch.nn.BatchNorm2d(3), torch.ones(1, 3, 1, 1))
    assert explain(error).startswith('larger batches or images are needed: ')
    error = raised(check_positive_int, 'depth', 0)
    assert explain(error) == 'depth must be at least 1, but got 0'
    error = raised(Rate(8, 2), torch.rand(3, 1, 8, 4, 4))
    assert 'num_steps=2' in explain(error)


@pytest.mark.parametrize(
    'write',
    [
        lambda path: path.write_text('x'),
        lambda path: LocalBackend().put(b'x', path),
        lambda path: LocalBackend().put(bytes(1 << 20), path),
        lambda path: imwrite(np.zeros((9, 9, 3), np.uint8), str(path)),
    ],
)
def test_a_full_disk(tmp_path: Path, write: Callable[[Path], object]) -> None:
    """The file is named, although the error of a write does not."""
    path = tmp_path / 'picture.png'
    path.symlink_to('/dev/full')
    explained = explain(raised(write, path))
    assert explained is not None
    assert f'{str(path)!r}: No space left on device' in explained


@pytest.mark.parametrize('number', [9, 1 << 18])
def test_a_full_disk_that_torch_writes_to(number: int) -> None:
    weights = torch.ones(number)
    assert 'disk full' in explain(raised(torch.save, weights, '/dev/full'))
    with open('/dev/full', 'wb', buffering=0) as file:
        assert 'No space left' in explain(raised(torch.save, weights, file))


@pytest.mark.parametrize(
    'error',
    [
        ValueError('of another package'),
        KeyError('x'),
        RuntimeError('shape mismatch'),
        OSError('without a number'),
        AssertionError(),
    ],
)
def test_bugs_are_not_explained(error: Exception) -> None:
    """Nor are mistakes in calling mmsnn: raised in it, but by no `raise` of it."""
    assert explain(raised(throw, error)) is None
    with pytest.raises(type(error)), explain_failures(Config()):
        raise error
    assert explain(raised(lambda: check_positive_int())) is None
    assert explain(raised(plain, 3)) is None


@pytest.mark.parametrize(
    ('error', 'line'),
    [
        (TypeError("'int' object"), "TypeError: 'int' object"),
        (ValueError('"a" and \'b\''), 'ValueError: "a" and \'b\''),
        (KeyError("it's missing"), "KeyError: it's missing"),
        (KeyError(3), 'KeyError: 3'),
        (ValueError('\n\n  first  \n second'), 'ValueError: first'),
        (RuntimeError('in:\n\tsize\nmore'), 'RuntimeError: in: size'),
        (
            ValueError('\x1b[1;31mred\x1b[0m\a \x1b]8;;x\x1b\\ink'),
            'ValueError: red ink',
        ),
        (ValueError(), 'ValueError'),
        (EOFError(), 'EOFError'),
    ],
)
def test_first_line(error: Exception, line: str) -> None:
    assert first_line(error) == line


def test_first_line_of_a_bare_assertion() -> None:
    def check() -> None:
        inputs = 3
        assert inputs == 4

    error = raised(check)
    error.args = ()
    assert first_line(error) == 'AssertionError: assert inputs == 4'


# Where results are written --------------------------------------------------------


def test_folders_that_can_be_written(tmp_path: Path) -> None:
    check_folder(tmp_path, '--out-dir')
    check_folder(tmp_path / 'a' / 'b', '--out-dir')
    check_file(tmp_path / 'a' / 'b.pkl', '--out')
    (tmp_path / 'old.pkl').write_text('old')
    check_file(tmp_path / 'old.pkl', '--out')
    assert [path.name for path in tmp_path.iterdir()] == ['old.pkl']
    assert (tmp_path / 'old.pkl').read_text() == 'old'


def test_a_file_in_the_place_of_a_folder(tmp_path: Path) -> None:
    """And the other way round."""
    (tmp_path / 'file').touch()
    for path in ('file', 'file/a/b'):
        with pytest.raises(UserError, match='--out-dir .*not a folder'):
            check_folder(tmp_path / path, '--out-dir')
    with pytest.raises(UserError, match='--out .*is a folder'):
        check_file(tmp_path, '--out')
    with pytest.raises(UserError, match='work dir '):
        check_folder('/proc/self/run', 'work dir')


@pytest.mark.parametrize('number', [errno.EROFS, errno.EACCES, errno.ENOSPC])
def test_a_folder_that_refuses(
    tmp_path: Path, number: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(**options: object) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(outputs.tempfile, 'TemporaryFile', refuse)
    with pytest.raises(UserError, match=f'--out-dir .*{os.strerror(number)}'):
        check_folder(tmp_path, '--out-dir')
