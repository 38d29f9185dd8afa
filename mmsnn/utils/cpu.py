"""Accelerators and bf16 support of the machine; running configs for GPUs on a CPU."""

import datetime
import functools
from collections.abc import Mapping
from pathlib import Path
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

_FLAGS = ('flags', 'Features')  # their names in /proc/cpuinfo on x86-64 and ARM
_BF16_FLAGS = ('avx512_bf16', 'amx_bf16', 'bf16')


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


@functools.cache
def multiplies_bf16() -> bool:
    """Return whether this machine has instructions for bf16 products.

    Without them, a bf16 convolution takes several times as long as in fp32: 6.0 x on a
    processor with AVX2 only.
    """
    if has_accelerator():
        return True
    try:
        lines = Path('/proc/cpuinfo').read_text(encoding='utf-8').splitlines()
    except OSError:
        return False
    words = next((set(x.split()) for x in lines if x.startswith(_FLAGS)), set())
    return not words.isdisjoint(_BF16_FLAGS)


def is_amp(optim_wrapper: Mapping[str, Any]) -> bool:
    """Return whether an optimizer wrapper's config asks for mixed precision."""
    type_ = optim_wrapper.get('type', '')
    name = type_ if isinstance(type_, str) else getattr(type_, '__name__', '')
    return name.rpartition('.')[-1] == 'AmpOptimWrapper'


def without_amp(cfg: Config) -> bool:
    """Change mixed precision to single precision if there is no accelerator.

    MMEngine's ``AmpOptimWrapper`` does not support the CPU.

    Args:
        cfg: The config of a whole run, changed in place.

    Returns:
        Whether it was changed.
    """
    if has_accelerator() or not is_amp(cfg.optim_wrapper):
        return False
    cfg.optim_wrapper['type'] = 'OptimWrapper'
    for key in ('loss_scale', 'dtype', 'use_fsdp'):
        cfg.optim_wrapper.pop(key, None)
    return True


def start_on_cpu(cfg: Config, launcher: str) -> bool:
    """Start a distributed run on a machine without an accelerator.

    The process group is initialised here with gloo, because MMEngine's initialisation
    selects a CUDA device; the model is wrapped without device ids; and ``SyncBN`` is
    replaced by ``BN``, because torch has no synchronised batch norm on the CPU. Nothing
    is changed in a run of one process or with an accelerator.

    Args:
        cfg: The config of a whole run, changed in place.
        launcher: 'none', 'pytorch', 'slurm' or 'mpi'.

    Returns:
        Whether a ``SyncBN`` was replaced.

    Raises:
        UserError: If processes were started by anything but torch's launcher.
    """
    if has_accelerator() or launcher == 'none':
        return False
    if launcher != 'pytorch':
        raise UserError(
            f'--launcher {launcher} needs GPUs; without them use --launcher pytorch '
            'or none'
        )
    defaults = dict(
        type='MMDistributedDataParallel',
        broadcast_buffers=False,
        find_unused_parameters=cfg.get('find_unused_parameters', False),
    )
    given = cfg.get('model_wrapper_cfg') or {}
    cfg.model_wrapper_cfg = {**defaults, **given, 'device_ids': None}
    if not dist.is_initialized():
        dist_cfg = (cfg.get('env_cfg') or {}).get('dist_cfg') or {}
        seconds = dist_cfg.get('timeout')
        timeout = None if seconds is None else datetime.timedelta(seconds=seconds)
        dist.init_process_group('gloo', timeout=timeout)
    return _replace_sync_bn(cfg.get('model'))


def _replace_sync_bn(node: Any) -> bool:
    """Replace ``type='SyncBN'`` by ``'BN'`` in place; return whether there was one."""
    found = isinstance(node, dict) and node.get('type') == 'SyncBN'
    if found:
        node['type'] = 'BN'
    children = node.values() if isinstance(node, dict) else node
    if isinstance(node, dict | list | tuple):
        for child in children:
            found = _replace_sync_bn(child) or found
    return found
