"""Distributed training: gradients of two processes are those of one."""

import torch
import torch.distributed as dist
import torch.multiprocessing as mp
from torch.nn.parallel import DistributedDataParallel

from ..helpers import calibrate, make_backbone, sum_of


def make_all():
    """Return the same backbone, images and loss weights in every process."""
    torch.manual_seed(0)
    torch.set_num_threads(1)
    options = {'depth': 18, 'neuron': {'type': 'PLIF'}, 'norm_eval': True}
    backbone = make_backbone('SG-BSG*', **options)
    images = torch.randn(4, 3, 64, 64)
    # statistics that keep the network active, before norms stay in evaluation mode
    backbone.norm_eval = False
    calibrate(backbone, images)
    backbone.norm_eval = True
    backbone.double().train()
    images = images.double()
    with torch.no_grad():
        weights = [torch.randn_like(level) for level in backbone(images)]
    return backbone, images, weights


def loss_of(backbone, images, weights):
    return sum_of(backbone(images), weights) / len(images)


def run_rank(rank, world_size, folder):
    dist.init_process_group(
        'gloo', init_method=f'file://{folder}/store', rank=rank, world_size=world_size
    )
    backbone, images, weights = make_all()
    share = slice(rank * 2, rank * 2 + 2)
    wrapped = DistributedDataParallel(backbone)
    # two iterations: the second is the one that forgotten state would break
    for _ in range(2):
        wrapped.zero_grad()
        loss_of(wrapped, images[share], [w[:, share] for w in weights]).backward()
    gradients = {name: p.grad for name, p in backbone.named_parameters()}
    torch.save(gradients, f'{folder}/rank{rank}.pth')
    dist.destroy_process_group()


def test_two_processes_average_their_gradients(tmp_path):
    # forked: they need not import everything again
    mp.start_processes(run_rank, args=(2, str(tmp_path)), nprocs=2, start_method='fork')
    backbone, images, weights = make_all()
    loss_of(backbone, images, weights).backward()
    first, second = (torch.load(tmp_path / f'rank{rank}.pth') for rank in (0, 1))
    for name, p in backbone.named_parameters():
        assert p.grad.any(), name
        assert torch.equal(first[name], second[name]), name
        torch.testing.assert_close(first[name], p.grad)
