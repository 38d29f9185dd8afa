"""Distributed training: gradients of two processes are those of one."""

import torch
import torch.distributed as dist
import torch.multiprocessing as mp
from torch.nn.parallel import DistributedDataParallel

from ..helpers import calibrate, make_backbone, sum_of

MODES = [(lean, norm_eval) for norm_eval in (True, False) for lean in (False, True)]


def make_all(memory_efficient, norm_eval):
    """Return the same backbone, images and loss weights in every process."""
    torch.manual_seed(0)
    torch.set_num_threads(1)
    backbone = make_backbone(
        'SG-BSG*', neuron={'type': 'PLIF'}, memory_efficient=memory_efficient
    )
    images = torch.randn(4, 3, 64, 64)
    # statistics that keep the network active, before norms stay in evaluation mode
    calibrate(backbone, images)
    backbone.norm_eval = norm_eval
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
    share, found = slice(rank * 2, rank * 2 + 2), {}
    for mode in MODES:
        backbone, images, weights = make_all(*mode)
        wrapped = DistributedDataParallel(backbone)
        # two iterations: the second is the one that forgotten state would break
        for _ in range(2):
            wrapped.zero_grad()
            loss_of(wrapped, images[share], [w[:, share] for w in weights]).backward()
        gradients = {name: p.grad for name, p in backbone.named_parameters()}
        found[mode] = gradients, dict(backbone.named_buffers())
    torch.save(found, f'{folder}/rank{rank}.pth')
    dist.destroy_process_group()


def test_two_processes_average_their_gradients(tmp_path):
    """With and without recomputation."""
    # forked: they need not import everything again
    mp.start_processes(run_rank, args=(2, str(tmp_path)), nprocs=2, start_method='fork')
    ranks = [torch.load(tmp_path / f'rank{rank}.pth') for rank in (0, 1)]
    first, second = ([found[mode][0] for mode in MODES] for found in ranks)
    assert all(grad.any() for grads in first for grad in grads.values())
    torch.testing.assert_close(first, second, rtol=0, atol=0)
    for found in ranks:  # the option changes no bit
        for norm_eval in (True, False):
            plain, lean = found[False, norm_eval], found[True, norm_eval]
            torch.testing.assert_close(plain, lean, rtol=0, atol=0)
    backbone, images, weights = make_all(False, True)
    loss_of(backbone, images, weights).backward()
    expected = {name: p.grad for name, p in backbone.named_parameters()}
    torch.testing.assert_close(first[0], expected)
