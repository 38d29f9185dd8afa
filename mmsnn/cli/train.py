"""Train the model of a config.

The model can be a detector, a classifier or any other model of MMEngine. The options
are MMDetection's.

Examples:
    mmsnn train CONFIG --work-dir work_dirs/run
    mmsnn train CONFIG --resume
    mmsnn train CONFIG --cfg-options train_cfg.max_epochs=1 model.backbone.num_steps=2
"""

import argparse
from typing import TYPE_CHECKING, Any

from .common.exit_codes import note
from .common.options import add_config
from .common.runs import (
    add_run_options,
    build_runner,
    load,
    report_skipped,
    start_skipping,
)

if TYPE_CHECKING:
    from mmengine.config import Config
    from mmengine.runner import Runner

    from mmsnn.utils.resume_checks import Resumable


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the options."""
    add_config(parser)
    parser.add_argument(
        '--amp', action='store_true', help='train with automatic mixed precision'
    )
    parser.add_argument(
        '--auto-scale-lr',
        action='store_true',
        help='scale the learning rate by the actual batch size divided by '
        'auto_scale_lr.base_batch_size of the config',
    )
    parser.add_argument(
        '--resume',
        nargs='?',
        const='auto',
        help='resume from this checkpoint or, without a value, from the newest '
        'complete one in the work dir',
    )
    parser.add_argument(
        '--allow-partial',
        action='store_true',
        help="accept a load_from that fits less than half of the model's weights",
    )
    parser.add_argument(
        '--skip-broken',
        type=int,
        metavar='N',
        help='skip up to N different training images that cannot be read, and list '
        'them in WORK_DIR/broken_images.txt (default: the first one is an error)',
    )
    add_run_options(parser)


def set_amp(cfg: 'Config') -> None:
    """Switch the config's optimizer wrapper to mixed precision."""
    from mmsnn.utils.cpu import is_amp

    if not is_amp(cfg.optim_wrapper):
        cfg.optim_wrapper.type = 'AmpOptimWrapper'
        cfg.optim_wrapper.loss_scale = 'dynamic'


def set_auto_scale_lr(cfg: 'Config') -> None:
    """Switch on MMEngine's scaling of the learning rate.

    Raises:
        UserError: If the config does not give the batch size of its learning rate.
    """
    from mmsnn.utils.errors import UserError

    if 'base_batch_size' not in (cfg.get('auto_scale_lr') or {}):
        raise UserError(
            f'--auto-scale-lr needs auto_scale_lr.base_batch_size in config '
            f'{cfg.filename!r}'
        )
    cfg.auto_scale_lr.enable = True


def check_weights(
    cfg: 'Config',
    runner: 'Runner',
    start: 'Resumable | None',
    state: 'dict[str, Any] | None',
    allow_partial: bool,
) -> None:
    """Check that the weights from which training starts fit the model.

    Raises:
        UserError: If they do not.
    """
    from mmsnn.utils.checkpoint_fit import PRETRAINED_SHARE, check_fit, judge_fit
    from mmsnn.utils.resume_checks import check_resumed

    if start is not None:
        check_resumed(runner, start)
    elif state is not None:
        fit = check_fit(runner.model, state, cfg.load_from)
        warning = judge_fit(fit, cfg.load_from, PRETRAINED_SHARE, allow_partial)
        if warning:
            note(warning)


def main(args: argparse.Namespace) -> None:
    """Train the model."""
    cfg = load(args, 'train')
    from mmengine.model import is_model_wrapper

    from mmsnn.datasets.guarded_pipeline import guard_runner
    from mmsnn.deploy import to_channels_last
    from mmsnn.engine.hooks import CheckpointKeysHook
    from mmsnn.utils.checkpoints import read_with_classes, trained_classes
    from mmsnn.utils.class_checks import compare_classes
    from mmsnn.utils.cpu import without_amp
    from mmsnn.utils.data_checks import check_contents
    from mmsnn.utils.dry_run import dry_run
    from mmsnn.utils.failures import explain_failures
    from mmsnn.utils.preflight import (
        check_data,
        check_evaluators,
        check_pretrained,
        explain_downloads,
    )
    from mmsnn.utils.resume import find_start, use_atomic_checkpoints
    from mmsnn.utils.work_dir import claim_work_dir

    if args.amp:
        set_amp(cfg)
    if args.auto_scale_lr:
        set_auto_scale_lr(cfg)
    use_atomic_checkpoints(cfg)
    start, notes = find_start(cfg, args.resume)
    for message in notes:
        note(message)
    check_data(cfg, ('train', 'val'))
    check_evaluators(cfg, ('val',))
    check_contents(cfg, ('train', 'val'), note)
    check_pretrained(cfg)
    pretrained = None if cfg.get('resume') else cfg.get('load_from')
    state, classes = read_with_classes(pretrained) if pretrained else (None, ())
    if start is not None:
        classes = trained_classes(start.checkpoint)
    if warning := compare_classes(cfg, 'train', classes, cfg.get('load_from')):
        note(warning)

    if without_amp(cfg):
        note('no GPU: training in fp32 instead of mixed precision')
    broken = start_skipping(cfg, args.skip_broken)
    with (
        claim_work_dir(cfg.work_dir, cfg.launcher),
        explain_failures(cfg),
        explain_downloads(),
        report_skipped(broken),
    ):
        runner = build_runner(cfg, args.verbose)
        if not is_model_wrapper(runner.model):  # wrappers have planned their buffers
            to_channels_last(runner.model)
        guard_runner(runner, broken)
        check_weights(cfg, runner, start, state, args.allow_partial)
        del start, state  # as large as the model and its optimizer
        runner.register_hook(CheckpointKeysHook())
        dry_run(runner, 'train')
        runner.train()
