"""What a config written for GPUs needs in order to run on a machine without one."""

import datetime
from typing import Any

import torch.distributed as dist
from mmengine.config import Config
from mmengine.device import (
    is_cuda_available,
    is_mlu_available,
    is_musa_available,
    is_npu_available,
)

from .errors import UserError


def has_accelerator() -> bool:
    """Return whether there is a device that MMEngine's AMP and launchers support."""
    return any(
        (
            is_cuda_available(),
            is_npu_available(),
            is_mlu_available(),
            is_musa_available(),
        )
    )


def adapt_to_cpu(cfg: Config, launcher: str) -> list[str]:
    """Change ``cfg`` in place so that it runs without an accelerator.

    Mixed precision becomes single precision, because MMEngine's ``AmpOptimWrapper``
    refuses a CPU. With a launcher, the process group is started here with gloo,
    because MMEngine's own start selects a CUDA device; the model is wrapped without
    device ids; and ``SyncBN`` becomes ``BN``, because torch has no synchronised
    batch norm on CPU.

    Args:
        cfg: The config of a whole run.
        launcher: 'none', 'pytorch', 'slurm' or 'mpi'.

    Returns:
        A sentence for each change that affects results; empty with an accelerator.

    Raises:
        UserError: If processes were started by anything but torch's launcher.
    """
    if has_accelerator():
        return []
    changes = []
    optim_wrapper = cfg.get('optim_wrapper')
    if optim_wrapper is not None and is_amp(optim_wrapper):
        optim_wrapper['type'] = 'OptimWrapper'
        for key in ('loss_scale', 'dtype', 'use_fsdp'):
            optim_wrapper.pop(key, None)
        changes.append('no GPU: training in fp32 instead of mixed precision')
    if launcher == 'none':
        return changes
    if launcher != 'pytorch':
        raise UserError(
            f'--launcher {launcher} needs GPUs; without them use --launcher pytorch '
            'or none'
        )
    if _replace_sync_bn(cfg.get('model')):
        changes.append('no GPU: BN in each process instead of SyncBN')
    wrapper = dict(cfg.get('model_wrapper_cfg') or {})
    wrapper.setdefault('type', 'MMDistributedDataParallel')
    wrapper.setdefault('broadcast_buffers', False)
    wrapper.setdefault(
        'find_unused_parameters', cfg.get('find_unused_parameters', False)
    )
    cfg.model_wrapper_cfg = {**wrapper, 'device_ids': None}
    _start_gloo(cfg)
    return changes


def is_amp(optim_wrapper: dict[str, Any]) -> bool:
    """Return whether an optimizer wrapper's config asks for mixed precision."""
    type_ = optim_wrapper.get('type', '')
    name = type_ if isinstance(type_, str) else getattr(type_, '__name__', '')
    return name.rpartition('.')[-1] == 'AmpOptimWrapper'


def _start_gloo(cfg: Config) -> None:
    """Start torch's process group from the launcher's environment."""
    if dist.is_initialized():
        return
    seconds = (cfg.get('env_cfg') or {}).get('dist_cfg', {}).get('timeout')
    timeout = None if seconds is None else datetime.timedelta(seconds=seconds)
    dist.init_process_group('gloo', timeout=timeout)


def _replace_sync_bn(node: Any) -> bool:
    """Replace ``type='SyncBN'`` by ``'BN'`` in place; return whether there was one."""
    if isinstance(node, dict):
        found = node.get('type') == 'SyncBN'
        if found:
            node['type'] = 'BN'
        return any([found, *map(_replace_sync_bn, node.values())])
    if isinstance(node, list | tuple):
        return any([_replace_sync_bn(value) for value in node])
    return False
