"""Seeding of data loaders, so that resumed training draws the same random numbers."""

import random
from typing import Any

import numpy as np
import torch
from torch.utils.data import DataLoader, Dataset, IterableDataset, get_worker_info


class SeededDataset(Dataset[Any]):
    """Seeds the generators of worker processes, so that resuming does not change them.

    A worker continues its sequence of random numbers, which a worker started by a
    resumed training cannot reproduce. Subclasses define when a worker is seeded. In the
    main process, nothing is done.

    Args:
        dataset: A data set, whose attributes are forwarded.
        seed: The seed of the training in this process.
    """

    def __init__(self, dataset: Any, seed: int) -> None:
        self.dataset = dataset
        self._seed = seed

    def __len__(self) -> int:
        return len(self.dataset)

    def __getitem__(self, index: Any) -> Any:
        self._prepare_worker()
        return self.dataset[index]

    def __getitems__(self, indices: list[Any]) -> list[Any]:
        self._prepare_worker()
        get_all = getattr(self.dataset, '__getitems__', None)
        return get_all(indices) if get_all else [self.dataset[i] for i in indices]

    def _prepare_worker(self) -> None:
        worker = get_worker_info()
        if worker is not None:
            self._seed_worker(worker.id, worker.num_workers)

    def _seed_worker(self, worker: int, num_workers: int) -> None:
        """Seed the generators of a worker, if this is due, before it loads a batch."""
        raise NotImplementedError

    def _set_seed(self, *key: int) -> None:
        """Seed all generators of this process, in a way that depends on ``key``."""
        seeds = np.random.SeedSequence([self._seed, *key])
        seed = int(seeds.generate_state(1)[0])
        random.seed(seed)
        np.random.seed(seed)
        torch.manual_seed(seed)

    def __getattr__(self, name: str) -> Any:
        if name == 'dataset':
            raise AttributeError(name)
        return getattr(self.dataset, name)


class EpochSeededDataset(SeededDataset):
    """Seeds the workers at the start of each epoch, for epoch-based training.

    In the first epoch, the seeds are those of MMEngine.
    """

    def __init__(self, dataset: Any, seed: int) -> None:
        super().__init__(dataset, seed)
        self._seeded_epoch = 0
        # in shared memory, so that running workers see changes
        self._epoch = torch.zeros((), dtype=torch.int64).share_memory_()

    def start_epoch(self, epoch: int) -> None:
        """Set, in the main process, the epoch that is loaded next, counted from 0."""
        self._epoch.fill_(epoch)

    def _seed_worker(self, worker: int, num_workers: int) -> None:
        epoch = int(self._epoch)
        if epoch != self._seeded_epoch:
            self._seeded_epoch = epoch
            self._set_seed(epoch, worker)


class BatchSeededDataset(SeededDataset):
    """Seeds a worker for each batch, for iteration-based training.

    MMEngine resumes such a training with new workers in the middle of the data. A
    data loader hands its batches to its workers in turn, so that each knows the number
    of its next batch.

    Args:
        dataset: A data set, whose attributes are forwarded.
        seed: The seed of the training in this process.
        first: The number of the first batch to be loaded.
    """

    def __init__(self, dataset: Any, seed: int, first: int) -> None:
        super().__init__(dataset, seed)
        self._first = first
        self._num_loaded = 0  # by this worker

    def _seed_worker(self, worker: int, num_workers: int) -> None:
        self._set_seed(self._first + worker + num_workers * self._num_loaded)
        self._num_loaded += 1


def own_generator(loader: DataLoader[Any], seed: int) -> None:
    """Give a data loader its own generator.

    Otherwise it draws a number from torch's default generator whenever it starts
    workers, which happens at other times in a resumed training.
    """
    if loader.generator is None:
        loader.generator = torch.Generator().manual_seed(seed)


def seed_workers(loader: DataLoader[Any], seed: int, first: int | None = None) -> None:
    """Seed the workers of a data loader in each epoch or for each batch.

    Args:
        loader: A loader that has not been iterated.
        seed: The seed of the training in this process.
        first: In iteration-based training, the number of the first batch to be loaded;
            None in epoch-based training.
    """
    data = loader.dataset
    if not loader.num_workers or isinstance(data, SeededDataset | IterableDataset):
        return
    seeded = (
        EpochSeededDataset(data, seed)
        if first is None
        else BatchSeededDataset(data, seed, first)
    )
    # DataLoader refuses the assignment, since its sampler is made for the data set.
    loader.__dict__['dataset'] = seeded
