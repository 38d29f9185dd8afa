"""``memory_efficient`` in distributed training."""

import pytest
import torch
import torch.distributed as dist
import torch.multiprocessing as mp
from torch.nn.parallel import DistributedDataParallel

from ..helpers import make_backbone
from .held import pair
from .test_memory import IMAGES


def distributed(rank: int, folder: str, size: int) -> None:
    """Run two iterations of a network that is wrapped, and of one that is lean."""
    dist.init_process_group(
        'gloo', init_method=f'file://{folder}/store', rank=rank, world_size=size
    )
    try:
        torch.manual_seed(0)
        plain, lean = pair(make_backbone, 'SG-BSG', neuron={'type': 'PLIF'})
        torch.manual_seed(rank)
        x = torch.randn(IMAGES)
        found = []
        for network in (plain, lean):
            wrapped = DistributedDataParallel(network)
            for _ in range(2):
                sum(level.mean() for level in wrapped(x)).backward()
            found.append([p.grad for p in network.parameters()] + [*network.buffers()])
        assert found[0][0].any()
        assert all(map(torch.equal, *found))
        torch.save(found[1][0], f'{folder}/{rank}.pth')
    finally:
        dist.destroy_process_group()


def test_distributed_data_parallel(tmp_path) -> None:
    """Parameters that are not used are not looked for: every one is found."""
    distributed(0, str(tmp_path), 1)


def run_rank(rank: int, folder: str) -> None:
    torch.set_num_threads(1)
    distributed(rank, folder, 2)


@pytest.mark.slow
def test_two_processes(tmp_path) -> None:
    """Gradients are averaged as without the option."""
    mp.spawn(run_rank, args=(str(tmp_path),), nprocs=2)
    first, second = (torch.load(tmp_path / f'{rank}.pth') for rank in (0, 1))
    assert torch.equal(first, second)
