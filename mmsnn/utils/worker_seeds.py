"""Seeding of data loaders, so that resumed training draws the same random numbers."""

import random
from typing import Any

import numpy as np
import torch
from torch.utils.data import DataLoader, Dataset, IterableDataset, get_worker_info


class EpochSeededDataset(Dataset[Any]):
    """Seeds the generators of worker processes at the start of each epoch.

    A persistent worker continues its sequence of random numbers over several epochs,
    which a worker started by a resumed training cannot reproduce. With seeds that
    depend on the epoch, both draw the same numbers. Nothing is done in the main
    process, nor in the first epoch, for which MMEngine seeds the workers.

    Args:
        dataset: A data set, whose attributes are forwarded.
        seed: The seed of the training in this process.
    """

    def __init__(self, dataset: Any, seed: int) -> None:
        self.dataset = dataset
        self._seed = seed
        self._seeded_epoch = 0
        # in shared memory, so that running workers see changes
        self._epoch = torch.zeros((), dtype=torch.int64).share_memory_()

    def start_epoch(self, epoch: int) -> None:
        """Set, in the main process, the epoch that is loaded next, counted from 0."""
        self._epoch.fill_(epoch)

    def __len__(self) -> int:
        return len(self.dataset)

    def __getitem__(self, index: Any) -> Any:
        self._seed_worker()
        return self.dataset[index]

    def __getitems__(self, indices: list[Any]) -> list[Any]:
        self._seed_worker()
        get_all = getattr(self.dataset, '__getitems__', None)
        return get_all(indices) if get_all else [self.dataset[i] for i in indices]

    def _seed_worker(self) -> None:
        worker, epoch = get_worker_info(), int(self._epoch)
        if worker is None or epoch == self._seeded_epoch:
            return
        self._seeded_epoch = epoch
        seeds = np.random.SeedSequence([self._seed, epoch, worker.id])
        seed = int(seeds.generate_state(1)[0])
        random.seed(seed)
        np.random.seed(seed)
        torch.manual_seed(seed)

    def __getattr__(self, name: str) -> Any:
        if name == 'dataset':
            raise AttributeError(name)
        return getattr(self.dataset, name)


def own_generator(loader: DataLoader[Any], seed: int) -> None:
    """Give a data loader its own generator.

    Otherwise it draws a number from torch's default generator whenever it starts
    workers, which happens at other times in a resumed training.
    """
    if loader.generator is None:
        loader.generator = torch.Generator().manual_seed(seed)


def seed_workers(loader: DataLoader[Any], seed: int) -> None:
    """Seed the workers of a data loader in each epoch.

    Args:
        loader: A loader that has not been iterated.
        seed: The seed of the training in this process.
    """
    if loader.num_workers and not isinstance(
        loader.dataset, EpochSeededDataset | IterableDataset
    ):
        # DataLoader refuses the assignment, since its sampler is made for the data set.
        loader.__dict__['dataset'] = EpochSeededDataset(loader.dataset, seed)
