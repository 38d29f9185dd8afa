"""Test the model of a config with a checkpoint.

The options are MMDetection's. For a detector that is evaluated with CocoMetric, the
columns of the SG ResNet paper's Table 4 are printed and saved as JSON in the work dir;
for other models, all metrics.

Examples:
    mmsnn test CONFIG
    mmsnn test CONFIG CHECKPOINT
    mmsnn test CONFIG CHECKPOINT --out predictions.pkl --show-dir pictures
    mmsnn test CONFIG CHECKPOINT --fold-norms --bf16
"""

import argparse
from collections.abc import Mapping
from copy import deepcopy
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .common.deploy_options import (
    add_deploy_options,
    check_deploy_options,
    deploy_settings,
)
from .common.exit_codes import note
from .common.options import OutputFile, add_config
from .common.runs import add_run_options, build_runner, load

if TYPE_CHECKING:
    from mmengine.config import Config
    from mmengine.runner import Runner

    from mmsnn.evaluation import CocoColumns

RESULTS = 'coco_columns.json'
METRICS = 'metrics.json'


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the options."""
    add_config(parser)
    parser.add_argument(
        'checkpoint',
        nargs='?',
        help='path of the checkpoint (default: the weights shipped for the config, see '
        'mmsnn configs)',
    )
    parser.add_argument(
        '--out',
        action=OutputFile,
        help='file to write the predictions to, ending in .pkl or .pickle',
    )
    parser.add_argument('--show', action='store_true', help='show the predictions')
    parser.add_argument(
        '--show-dir',
        help='save annotated images in WORK_DIR/TIMESTAMP/SHOW_DIR (for a classifier, '
        'in WORK_DIR/SHOW_DIR)',
    )
    parser.add_argument(
        '--wait-time', type=float, default=2, help='seconds for which an image is shown'
    )
    parser.add_argument('--tta', action='store_true', help='use test-time augmentation')
    add_deploy_options(parser)
    parser.add_argument(
        '--allow-partial',
        action='store_true',
        help="accept a checkpoint that does not fit all of the model's weights",
    )
    add_run_options(parser)


def set_visualization(cfg: 'Config', args: argparse.Namespace) -> None:
    """Make the visualization hook show or save its pictures.

    Raises:
        UserError: If the config has no such hook.
    """
    from mmdet.engine.hooks.utils import trigger_visualization_hook

    from mmsnn.utils.errors import UserError

    hook = (cfg.get('default_hooks') or {}).get('visualization')
    if hook is None:
        raise UserError(
            f'--show and --show-dir need default_hooks.visualization in config '
            f'{cfg.filename!r}'
        )
    if str(hook.type).rpartition('.')[-1] == 'VisualizationHook':
        # MMPretrain's hook has other option names and does not know the run's folder.
        hook.update(
            enable=True,
            show=args.show,
            wait_time=args.wait_time,
            out_dir=args.show_dir and str(Path(cfg.work_dir, args.show_dir)),
        )
    else:
        trigger_visualization_hook(cfg, args)


def set_tta(cfg: 'Config') -> None:
    """Wrap the model for test-time augmentation.

    If a detector's config does not define test-time augmentation, each image is used
    as it is and flipped, as in MMDetection.

    Raises:
        UserError: If the config is not a detector's and does not define it.
    """
    from mmengine.config import ConfigDict

    from mmsnn.utils.errors import UserError
    from mmsnn.utils.preflight import innermost_dataset

    dataset = innermost_dataset(cfg.test_dataloader.dataset)
    missing = [name for name in ('tta_model', 'tta_pipeline') if name not in cfg]
    if missing and cfg.get('default_scope') != 'mmdet':
        raise UserError(
            f'--tta needs {" and ".join(missing)} in config {cfg.filename!r}'
        )
    if 'tta_model' in missing:
        cfg.tta_model = dict(
            type='DetTTAModel',
            tta_cfg=dict(nms=dict(type='nms', iou_threshold=0.5), max_per_img=100),
        )
    if 'tta_pipeline' in missing:
        flips = [dict(type='RandomFlip', prob=prob) for prob in (1.0, 0.0)]
        keys = ('img_id', 'img_path', 'ori_shape', 'img_shape', 'scale_factor')
        pack = dict(type='PackDetInputs', meta_keys=(*keys, 'flip', 'flip_direction'))
        augment = dict(type='TestTimeAug', transforms=[flips, [pack]])
        cfg.tta_pipeline = [*deepcopy(dataset.pipeline)[:-1], augment]
    cfg.model = ConfigDict(**cfg.tta_model, module=cfg.model)
    dataset.pipeline = cfg.tta_pipeline


def add_dump(cfg: 'Config', runner: 'Runner', out: str) -> None:
    """Make the runner dump its predictions to ``out``."""
    from mmdet.evaluation import DumpDetResults
    from mmengine.evaluator import DumpResults

    dump = DumpDetResults if cfg.get('default_scope') == 'mmdet' else DumpResults
    runner.test_evaluator.metrics.append(dump(out_file_path=out))


def report(tables: 'list[CocoColumns]', cfg: 'Config', runner: 'Runner') -> None:
    """Print the tables and save them, in the run's folder and in the work dir."""
    from mmengine.dist import is_main_process

    from mmsnn.evaluation import format_tables, save_tables

    if not is_main_process():
        return
    print(format_tables(tables))
    if any(value is None for table in tables for value in table.columns.values()):
        print("'-': no object of that size, or nothing was detected at all")
    for path in (Path(runner.log_dir, RESULTS), Path(cfg.work_dir, RESULTS)):
        save_tables(path, tables, str(cfg.filename), str(cfg.load_from))
        print(f'Saved {path}')


def report_metrics(metrics: Mapping[str, Any], cfg: 'Config') -> None:
    """Print the metrics, one per line, and save them in the work dir.

    MMEngine has already saved them in the run's folder.
    """
    from mmengine.dist import is_main_process
    from mmengine.fileio import dump

    if not is_main_process() or not metrics:
        return
    width = max(map(len, metrics))
    for name, value in metrics.items():
        shown = f'{value:.2f}' if isinstance(value, float) else value
        print(f'{name.ljust(width)}  {shown}')
    content = {
        'config': str(cfg.filename),
        'checkpoint': str(cfg.load_from),
        'metrics': dict(metrics),
    }
    path = Path(cfg.work_dir, METRICS)
    dump(content, path, indent=2)
    print(f'Saved {path}')


def main(args: argparse.Namespace) -> None:
    """Test the model, print and save the results."""
    cfg = load(args, 'test')
    from mmsnn.datasets.guarded_pipeline import guard_runner
    from mmsnn.deploy import to_channels_last
    from mmsnn.engine.hooks import CheckpointKeysHook, DeployHook
    from mmsnn.evaluation import request_columns
    from mmsnn.utils.checkpoint_fit import check_fit, judge_fit
    from mmsnn.utils.checkpoints import read_with_classes
    from mmsnn.utils.class_checks import compare_classes
    from mmsnn.utils.data_checks import check_contents
    from mmsnn.utils.dry_run import dry_run
    from mmsnn.utils.errors import UserError
    from mmsnn.utils.failures import explain_failures
    from mmsnn.utils.preflight import check_data, check_evaluators, explain_downloads
    from mmsnn.utils.shipped_configs import needed_weights

    if args.out is not None and not args.out.endswith(('.pkl', '.pickle')):
        raise UserError(f'--out must end in .pkl or .pickle, but got {args.out!r}')
    check_deploy_options(args)
    if args.checkpoint is None:
        args.checkpoint = needed_weights(args.config)
        note(f'using the shipped weights {args.checkpoint}')
    cfg.load_from = args.checkpoint
    cfg.resume = False
    if args.show or args.show_dir:
        set_visualization(cfg, args)
    check_data(cfg, ('test',))
    check_evaluators(cfg, ('test',))
    check_contents(cfg, ('test',), note)
    state, classes = read_with_classes(args.checkpoint)
    if warning := compare_classes(cfg, 'test', classes, args.checkpoint):
        note(warning)
    if args.tta:
        set_tta(cfg)
    tables = request_columns(cfg)

    runner = build_runner(cfg, args.verbose)
    guard_runner(runner)
    if state is not None:
        fit = check_fit(runner.model, state, args.checkpoint)
        warning = judge_fit(fit, args.checkpoint, 1, args.allow_partial)
        if warning:
            note(warning)
    runner.register_hook(CheckpointKeysHook())
    to_channels_last(runner.model)
    if args.out is not None:
        add_dump(cfg, runner, args.out)
    settings = deploy_settings(args)
    if any(settings):
        runner.register_hook(DeployHook(*settings))
    with explain_failures(cfg), explain_downloads():
        dry_run(runner, 'test')
        metrics = runner.test()
    if tables:
        report([table.filled(metrics) for table in tables], cfg, runner)
    else:
        report_metrics(metrics, cfg)
