"""A detector that spikes throughout, and the loss on its spikes, in two processes."""

from types import SimpleNamespace

import pytest
import torch
import torch.distributed as dist
import torch.multiprocessing as mp
from mmdet.utils import register_all_modules
from mmengine.model import MMDistributedDataParallel
from mmengine.optim import OptimWrapper
from mmengine.registry import DefaultScope

from mmsnn.engine import SynapticOperationsLossHook

from .test_whole_detector import NEURONS, batch, build, dense


def run_rank(rank: int, world_size: int, folder: str) -> None:
    store = f'file://{folder}/store'
    dist.init_process_group('gloo', init_method=store, rank=rank, world_size=world_size)
    torch.set_num_threads(1)
    register_all_modules(init_default_scope=False)
    with DefaultScope.overwrite_default_scope('mmdet'):
        model = build(dense('SpikingRetinaHead', NEURONS['ILIF'])).train()
        wrapped = MMDistributedDataParallel(model)
        hook = SynapticOperationsLossHook(target=1e5)
        hook.before_train(SimpleNamespace(model=wrapped))
        optimizer = OptimWrapper(torch.optim.SGD(model.parameters(), lr=1e-4))
        torch.manual_seed(rank)
        logs = [wrapped.train_step(batch(), optimizer) for _ in range(2)]
    assert all(log['loss_accumulations'] > 0 for log in logs)
    torch.save(model.state_dict(), f'{folder}/rank{rank}.pth')
    dist.destroy_process_group()


@pytest.mark.slow
def test_two_processes_learn_the_same(tmp_path) -> None:
    mp.spawn(run_rank, args=(2, str(tmp_path)), nprocs=2)
    first, second = (torch.load(tmp_path / f'rank{rank}.pth') for rank in (0, 1))
    learned = [name for name in first if 'running' not in name]
    assert all(torch.equal(first[name], second[name]) for name in learned)
