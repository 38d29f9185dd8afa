"""What configs for GPUs become without one."""

from typing import Any

import pytest
from mmengine.config import Config
from mmengine.optim import AmpOptimWrapper

from mmsnn.utils import cpu
from mmsnn.utils.errors import UserError


@pytest.fixture(autouse=True)
def _no_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cpu, 'has_accelerator', lambda: False)


@pytest.fixture
def started(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """Calls of torch's init_process_group, which is not really called."""
    calls: list[Any] = []
    monkeypatch.setattr(
        cpu.dist,
        'init_process_group',
        lambda *args, **kwargs: calls.append((args, kwargs)),
    )
    return calls


def make_config(**settings: Any) -> Config:
    model = dict(
        backbone=dict(norm_cfg=dict(type='SyncBN', momentum=0.1)),
        neck=[dict(norm_cfg=dict(type='SyncBN')), dict(norm_cfg=dict(type='GN'))],
    )
    wrapper = dict(
        type='AmpOptimWrapper',
        loss_scale='dynamic',
        dtype='float16',
        optimizer=dict(type='SGD', lr=0.1),
        clip_grad=dict(max_norm=1),
    )
    return Config(dict(model=model, optim_wrapper=wrapper) | settings)


@pytest.mark.parametrize('type_', ['AmpOptimWrapper', 'mmengine.AmpOptimWrapper'])
def test_single_precision_on_a_cpu(type_: str) -> None:
    cfg = make_config()
    cfg.optim_wrapper.type = type_
    assert cpu.without_amp(cfg)
    assert cfg.optim_wrapper == dict(
        type='OptimWrapper',
        optimizer=dict(type='SGD', lr=0.1),
        clip_grad=dict(max_norm=1),
    )
    assert not cpu.without_amp(cfg)


@pytest.mark.parametrize(('gpu', 'launcher'), [(True, 'pytorch'), (False, 'none')])
def test_nothing_changes_with_a_gpu_or_one_process(
    gpu: bool, launcher: str, started: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cpu, 'has_accelerator', lambda: gpu)
    cfg = make_config()
    assert not gpu or not cpu.without_amp(cfg)
    assert not cpu.start_on_cpu(cfg, launcher)
    assert cfg.to_dict() == make_config().to_dict()
    assert started == []


def test_distributed_on_a_cpu(started: list[Any]) -> None:
    env = dict(dist_cfg=dict(timeout=60))
    cfg = make_config(find_unused_parameters=True, env_cfg=env)
    assert cpu.start_on_cpu(cfg, 'pytorch')
    assert cfg.model.backbone.norm_cfg == dict(type='BN', momentum=0.1)
    assert [neck.norm_cfg.type for neck in cfg.model.neck] == ['BN', 'GN']
    assert cfg.model_wrapper_cfg == dict(
        type='MMDistributedDataParallel',
        broadcast_buffers=False,
        find_unused_parameters=True,
        device_ids=None,
    )
    ((args, kwargs),) = started
    assert args == ('gloo',)
    assert kwargs['timeout'].total_seconds() == 60


@pytest.mark.parametrize('env', [None, {}, dict(dist_cfg=None)])
def test_settings_of_the_process_group_are_optional(
    env: Any, started: list[Any]
) -> None:
    cpu.start_on_cpu(make_config(env_cfg=env), 'pytorch')
    assert started == [(('gloo',), dict(timeout=None))]


def test_the_users_wrapper_is_kept(started: list[Any]) -> None:
    cfg = make_config(model_wrapper_cfg=dict(type='Mine', static_graph=True))
    cpu.start_on_cpu(cfg, 'pytorch')
    wrapper = cfg.model_wrapper_cfg
    assert (wrapper.type, wrapper.static_graph, wrapper.device_ids) == (
        'Mine',
        True,
        None,
    )


@pytest.mark.parametrize('launcher', ['slurm', 'mpi'])
def test_other_launchers_need_gpus(launcher: str) -> None:
    with pytest.raises(UserError, match=f'--launcher {launcher} needs GPUs'):
        cpu.start_on_cpu(make_config(), launcher)


def test_is_amp() -> None:
    for type_ in ('AmpOptimWrapper', AmpOptimWrapper):
        assert cpu.is_amp(dict(type=type_)) is True
    for cfg in (dict(type='OptimWrapper'), {}):
        assert cpu.is_amp(cfg) is False
