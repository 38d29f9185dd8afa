"""Computation of the frames of a whole data set before training."""

import os
import sys
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass
from pathlib import Path

from mmengine.utils import ProgressBar

from mmsnn.utils import check_choice, check_positive_int
from mmsnn.utils.errors import UserError

from .base import EVENT_DATASETS, SPLITS, check_root
from .files import EventFile
from .frames import CACHE_FOLDER, FrameCache

# Number of damaged files that are named in an error.
_NAMED = 5


@dataclass(frozen=True)
class PreparedFrames:
    """Result of :func:`prepare_event_frames`.

    Attributes:
        folder: Folder of the frames.
        samples: Number of samples by split.
        made: Number of samples whose frames were computed; the others were cached.
    """

    folder: Path
    samples: dict[str, int]
    made: int


def prepare_event_frames(
    dataset: str,
    data_root: str | os.PathLike[str],
    num_steps: int = 16,
    workers: int = 1,
    cache_dir: str | os.PathLike[str] | None = None,
    progress: bool = False,
) -> PreparedFrames:
    """Compute the frames of all samples of a data set that are not cached yet.

    It can be interrupted and called again, also by several processes at once. If files
    are damaged, the others are still prepared.

    Args:
        dataset: A key of ``EVENT_DATASETS``, such as ``'cifar10_dvs'``.
        data_root: Folder of the data set.
        num_steps: Number of frames T per sample.
        workers: Number of processes.
        cache_dir: Folder for the frames, as in LoadEventFrames.
        progress: Whether to print a progress bar.

    Returns:
        The folder and the numbers of samples.

    Raises:
        TypeError: If an argument has the wrong type.
        ValueError: If an argument is out of range, expected files are missing in the
            folder, or, after all other files are prepared, if files are damaged
            (:class:`~mmsnn.utils.errors.UserError`).
    """
    check_choice('dataset', dataset, EVENT_DATASETS)
    check_positive_int('num_steps', num_steps)
    check_positive_int('workers', workers)
    root = check_root(data_root)
    found = {split: EVENT_DATASETS[dataset].find_files(root, split) for split in SPLITS}
    files = [file for split in SPLITS for file in found[split]]
    cache = FrameCache(cache_dir or root / CACHE_FOLDER, dataset, num_steps)
    cache.remove_stale()
    bar = ProgressBar(len(files), file=sys.stdout) if progress else None
    made = 0
    problems = []
    for result in _prepare_all(cache, files, workers):
        if isinstance(result, str):
            problems.append(result)
        else:
            made += result
        if bar is not None:
            bar.update()
    if bar is not None:
        print()
    if problems:
        raise UserError(_summarize(problems, len(files)))
    samples = {
        split: sum(len(file.samples) for file in found[split]) for split in SPLITS
    }
    return PreparedFrames(cache.folder, samples, made)


def _prepare_all(
    cache: FrameCache, files: Sequence[EventFile], workers: int
) -> Iterator[int | str]:
    """Yield the result of :func:`_prepare` for each file, in order of completion."""
    if workers == 1:
        yield from (_prepare(cache, file) for file in files)
        return
    pool = ProcessPoolExecutor(workers)
    try:
        tasks = [pool.submit(_prepare, cache, file) for file in files]
        for task in as_completed(tasks):
            yield task.result()
    finally:
        pool.shutdown(cancel_futures=True)


def _prepare(cache: FrameCache, file: EventFile) -> int | str:
    """Return the number of samples whose frames were computed, or an error message."""
    try:
        return cache.prepare(file)
    except UserError as error:
        return str(error)


def _summarize(problems: Sequence[str], total: int) -> str:
    named = '; '.join(sorted(problems)[:_NAMED])
    more = len(problems) - _NAMED
    return f'{len(problems)} of {total} files cannot be used: {named}' + (
        f'; and {more} more' if more > 0 else ''
    )
