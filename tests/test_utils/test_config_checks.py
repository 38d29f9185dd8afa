"""Settings that are checked before anything is built."""

from collections.abc import Mapping
from copy import deepcopy
from typing import Any

import pytest
from mmengine.config import Config, DictAction
from test_configs.files import CONFIGS, shared

from mmsnn.utils.config_checks import check_settings, misspelt_settings
from mmsnn.utils.config_files import load_config
from mmsnn.utils.errors import UserError

SPIKING = next(CONFIGS.glob('spiking_retinanet/*_sg-r18-asd_fpn_*_coco.py'))

# The setting, and what the message must have beside its name.
SETTINGS = """
train_dataloader=3 | must be a dict
train_dataloader.batch_size=0 | at least 1
train_dataloader.batch_size=-1 | at least 1
train_dataloader.batch_size=x | integer
train_dataloader.batch_size=1.5 | integer
train_dataloader.num_workers=-1 | at least 0
train_dataloader.num_workers=x | at least 0
train_dataloader.dataset=3 | must be a dict
train_dataloader.sampler.shuffle=x | bool
train_dataloader.collate_fn.type=nope | 'nope'
val_dataloader.batch_size=0 | at least 1
val_dataloader.num_workers=x | at least 0
val_dataloader.num_workers=0 | val_dataloader.persistent_workers needs
val_dataloader=None | val_cfg, val_evaluator
val_cfg=None | val_dataloader
val_evaluator=None | val_dataloader
test_dataloader.batch_size=0 | at least 1
train_cfg=3 | must be a dict
train_cfg.max_epochs=0 | at least 1
train_cfg.max_epochs=-1 | at least 1
train_cfg.max_epochs=x | integer
train_cfg.max_epochs=1.5 | integer
train_cfg.max_epochs=None | integer
train_cfg.val_interval=0 | at least 1
train_cfg.val_interval=x | integer
train_cfg.val_begin=-3 | at least 0
optim_wrapper=3 | must be a dict
optim_wrapper.optimizer=3 | must be a dict
optim_wrapper.optimizer.type=Nope | 'Nope'
optim_wrapper.optimizer.type=sgd | 'sgd'
optim_wrapper.optimizer.lr=-1 | negative
optim_wrapper.optimizer.lr=x | number
optim_wrapper.optimizer.lr=None | number
optim_wrapper.optimizer.momentum=-1 | negative
optim_wrapper.optimizer.weight_decay=-1 | negative
optim_wrapper.accumulative_counts=0 | at least 1
optim_wrapper.clip_grad=3 | must be a dict
optim_wrapper.clip_grad.max_norm=-1 | positive
optim_wrapper.clip_grad.norm=1 | norm_type
optim_wrapper.clip_grad.type=nope | norm, value
param_scheduler.0.by_epoch=x | bool
param_scheduler.1.gamma=x | number
param_scheduler.1.milestones=x | sequence
param_scheduler.1.milestones=5 | sequence
param_scheduler.1.milestones=[x] | integer
auto_scale_lr=3 | must be a dict
auto_scale_lr.base_batch_size=0 | at least 1
default_hooks=3 | must be a dict
default_hooks.checkpoint.interval=0 | -1 for
default_hooks.checkpoint.interval=x | -1 for
default_hooks.checkpoint.max_keep_ckpts=x | -1 for
default_hooks.logger.interval=0 | at least 1
default_hooks.logger.interval=x | integer
default_scope=nope | 'mmdet'
default_scope=3 | string
env_cfg.cudnn_benchmark=x | bool
load_from=3 | path
log_level=NOPE | DEBUG
log_processor.window_size=x | integer
model=3 | must be a dict
randomness.seed=x | integer
randomness.seed=-1 | at least 0
resume=x | bool
work_dir=3 | path
"""
RIGHT = """
val_evaluator.metric=proposal
train_cfg.val_begin=0
train_dataloader.num_workers=0
default_hooks.checkpoint.interval=-1
default_hooks.logger=None
optim_wrapper.clip_grad=None
param_scheduler=None
randomness.seed=None
load_from=None
default_scope=None
"""


@pytest.fixture(scope='module')
def spiking() -> Config:
    return shared(SPIKING)


def cases(table: str) -> list[list[str]]:
    return [line.split(' | ') for line in table.strip().splitlines()]


def parsed(option: str) -> Mapping[str, Any]:
    key, _, value = option.partition('=')
    return {key: DictAction._parse_iterable(value)}


@pytest.mark.parametrize(('option', 'allowed'), cases(SETTINGS))
def test_a_wrong_setting(spiking: Config, option: str, allowed: str) -> None:
    cfg = deepcopy(spiking)
    cfg.merge_from_dict(parsed(option))
    with pytest.raises(UserError) as error:
        check_settings(cfg, 'train')
    key, _, value = option.partition('=')
    line = str(error.value)
    assert str(SPIKING) in line
    assert key.rpartition('.')[0] in line
    assert key.rpartition('.')[2] in line
    assert allowed in line
    assert value.strip('[]') in line


@pytest.mark.parametrize('option', RIGHT.split())
def test_a_right_setting(spiking: Config, option: str) -> None:
    cfg = deepcopy(spiking)
    cfg.merge_from_dict(parsed('train_dataloader.persistent_workers=False'))
    cfg.merge_from_dict(parsed(option))
    check_settings(cfg, 'train')


def test_a_single_scheduler() -> None:
    scheduler = dict(type='StepLR', step_size=1, gamma=0)
    with pytest.raises(UserError, match='param_scheduler.gamma must be positive'):
        check_settings(Config(dict(param_scheduler=scheduler)), 'train')


def test_testing_does_not_need_what_trains(spiking: Config) -> None:
    cfg = deepcopy(spiking)
    cfg.merge_from_dict({'train_cfg.max_epochs': 0, 'val_cfg': None})
    check_settings(cfg, 'test')
    cfg.test_evaluator = None
    with pytest.raises(UserError, match='test_evaluator'):
        check_settings(cfg, 'test')


def test_the_projects_configs_pass() -> None:
    for path in CONFIGS.glob('[!_]*/*.py'):
        cfg = shared(path)
        check_settings(cfg, 'train')
        check_settings(cfg, 'test')
        assert misspelt_settings(cfg) == []


@pytest.mark.parametrize(
    ('name', 'meant'),
    [
        ('modle', 'model'),
        ('optim_wraper', 'optim_wrapper'),
        ('train_dataloder', 'train_dataloader'),
        ('param_schedulers', 'param_scheduler'),
        ('custom_hook', 'custom_hooks'),
    ],
)
def test_misspelt_sections(name: str, meant: str) -> None:
    (line,) = misspelt_settings(Config({name: 1, 'data_root': 'x', 'conv_cfg': {}}))
    assert repr(name) in line
    assert repr(meant) in line


def test_options_for_sections_that_do_not_exist() -> None:
    with pytest.raises(UserError, match='modle'):
        load_config(str(SPIKING), {'modle.backbone.depth': 18})
    # a section that MMEngine reads may be new, and one of the config's own may change
    cfg = load_config(str(SPIKING), {'strategy': {}, 'model.backbone.depth': 10})
    assert cfg.model.backbone.depth == 10
