"""Train the model of a config: a detector, a classifier, or any other of MMEngine's.

The options are MMDetection's. Usage:
    python tools/train.py CONFIG [--work-dir DIR] [--amp] [--auto-scale-lr]
        [--resume [CHECKPOINT]] [--cfg-options KEY=VALUE ...] [--launcher pytorch]
"""

import argparse
from typing import TYPE_CHECKING

import _cli

if TYPE_CHECKING:
    from mmengine.config import Config


def parse_args() -> argparse.Namespace:
    """Parse the command line."""
    parser = argparse.ArgumentParser(description='Train a model')
    parser.add_argument('config', help='path of the config')
    parser.add_argument(
        '--amp', action='store_true', help='train with automatic mixed precision'
    )
    parser.add_argument(
        '--auto-scale-lr',
        action='store_true',
        help='scale the learning rate by the real batch size over '
        'auto_scale_lr.base_batch_size of the config',
    )
    parser.add_argument(
        '--resume',
        nargs='?',
        const='auto',
        help='resume from this checkpoint, or, without a value, from the latest one '
        'in the work dir',
    )
    _cli.add_common_options(parser)
    return _cli.parse(parser)


def set_amp(cfg: 'Config') -> None:
    """Switch the config's optimizer wrapper to mixed precision."""
    from mmsnn.utils.cpu import is_amp

    if not is_amp(cfg.optim_wrapper):
        cfg.optim_wrapper.type = 'AmpOptimWrapper'
        cfg.optim_wrapper.loss_scale = 'dynamic'


def set_auto_scale_lr(cfg: 'Config') -> None:
    """Switch on MMEngine's scaling of the learning rate.

    Raises:
        UserError: If the config does not say which batch size its rate is for.
    """
    from mmsnn.utils.errors import UserError

    if 'base_batch_size' not in (cfg.get('auto_scale_lr') or {}):
        raise UserError(
            f'--auto-scale-lr needs auto_scale_lr.base_batch_size in config '
            f'{cfg.filename!r}'
        )
    cfg.auto_scale_lr.enable = True


def find_checkpoint(cfg: 'Config', resume: str | None) -> str | None:
    """Apply ``--resume`` to the config; return the checkpoint that will be loaded."""
    from mmengine.runner import find_latest_checkpoint

    if resume is not None:
        cfg.resume = True
        cfg.load_from = None if resume == 'auto' else resume
    if cfg.get('resume') and not cfg.get('load_from'):
        return find_latest_checkpoint(cfg.work_dir)
    return cfg.get('load_from')


def main() -> None:
    """Train."""
    args = parse_args()
    cfg = _cli.load(args, 'train')
    from mmsnn.utils.checkpoints import check_fit, read_checkpoint
    from mmsnn.utils.cpu import without_amp
    from mmsnn.utils.dry_run import dry_run
    from mmsnn.utils.failures import explain_failures
    from mmsnn.utils.preflight import check_data, check_pretrained, explain_downloads

    if args.amp:
        set_amp(cfg)
    if args.auto_scale_lr:
        set_auto_scale_lr(cfg)
    path = find_checkpoint(cfg, args.resume)
    check_data(cfg, ('train', 'val'))
    check_pretrained(cfg)
    state = read_checkpoint(path, resume=bool(cfg.get('resume'))) if path else None

    if without_amp(cfg):
        _cli.note('no GPU: training in fp32 in place of mixed precision')
    runner = _cli.build_runner(cfg)
    if path and state is not None:
        check_fit(runner.model, state, path)
    with explain_failures(cfg), explain_downloads():
        dry_run(runner, 'train')
        runner.train()


if __name__ == '__main__':
    _cli.run(main)
