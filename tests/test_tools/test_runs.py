"""The COCO configs, from training to results, on COCO's layout in miniature."""

import json
import os
import subprocess
from pathlib import Path
from typing import Any

import pytest
import torch

from mmsnn.utils.safe_loading import load_predictions

from .reports import columns_of, save_weights
from .tiny_coco import ANN, CONFIGS, DETECT, NARROW, SMALL, SPIKING, Call, run_tool

ALL = sorted(
    path for path in CONFIGS.glob('*/*_coco.py') if path.parent.name != '_base_'
)
RESIZING = 'train_dataloader.dataset.pipeline.3.transforms'
SMALL_MASKS = [
    f'{RESIZING}.0.0.scales=[(96,128)]',
    f'{RESIZING}.1.0.scales=[(96,128)]',
    f'{RESIZING}.1.1.crop_size=(64,80)',
    f'{RESIZING}.1.2.scales=[(96,128)]',
]
PROPOSALS = [
    f'model.{part}.{key}=50'
    for part in ('train_cfg.rpn_proposal', 'test_cfg.rpn')
    for key in ('nms_pre', 'max_per_img')
]


def weights(path: Path) -> dict[str, torch.Tensor]:
    checkpoint = torch.load(path, map_location='cpu', weights_only=False)
    return checkpoint['state_dict']


def losses(work_dir: Path) -> list[float]:
    lines = [
        json.loads(line)
        for path in sorted(work_dir.glob('*/vis_data/scalars.json'))
        for line in path.read_text().splitlines()
    ]
    return [line['loss'] for line in lines if 'loss' in line]


def check(result: subprocess.CompletedProcess[str]) -> str:
    assert result.returncode == 0, result.stderr
    return result.stdout


def check_layout(checkpoint: dict[str, Any]) -> None:
    """Check that weights were trained channels-last and saved contiguously."""
    assert all(value.is_contiguous() for value in checkpoint['state_dict'].values())
    momenta = [
        state['momentum_buffer'] for state in checkpoint['optimizer']['state'].values()
    ]
    assert any(
        not momentum.is_contiguous()
        and momentum.is_contiguous(memory_format=torch.channels_last)
        for momentum in momenta
        if momentum.shape[-2:] == (3, 3)
    )


def test_train_test_and_resume(call_tool: Call, in_coco: Path) -> None:
    log = 'default_hooks.logger.interval=1'
    _, said = call_tool('train', SPIKING, '--cfg-options', *NARROW, log)
    # mixed precision on a CPU is single
    assert 'warning: no GPU: training in fp32' in said
    work_dir = Path('work_dirs', SPIKING.stem)
    # 3 of the 4 images have objects: 2 iterations of 2 images at most.
    assert len(losses(work_dir)) == 2
    assert all(0 < loss < 100 for loss in losses(work_dir))
    checkpoint = work_dir / 'epoch_1.pth'
    assert all(value.isfinite().all() for value in weights(checkpoint).values())
    check_layout(torch.load(checkpoint, weights_only=False))

    options = ['--show-dir', 'pictures', '--out', 'predictions.pkl']
    options += ['--cfg-options', *NARROW, DETECT]
    printed = call_tool('test', SPIKING, checkpoint, *options).out
    (saved,) = work_dir.glob('*/coco_columns.json')
    latest = work_dir / 'coco_columns.json'
    assert saved.read_text() == latest.read_text()
    assert str(saved) in printed
    assert str(latest) in printed
    content = json.loads(latest.read_text())
    assert content['config'] == str(SPIKING)
    columns = content['tables']['coco']['columns']
    # The only small object is a crowd, which COCO does not count.
    assert columns['AP_S'] is None
    assert columns['AR_S'] is None
    assert all(columns[name] >= 0 for name in ('mAP', 'AP50', 'AP_M', 'AP_L', 'mAR'))
    row = next(line for line in printed.splitlines() if line.startswith('coco '))
    assert row.split()[3] == '-'
    predictions = load_predictions('predictions.pkl')
    assert [each['img_id'] for each in predictions] == [139, 140]
    pictures = sorted(path.name for path in saved.parent.glob('pictures/*.jpg'))
    assert pictures == ['000000000139.jpg', '000000000140.jpg']

    # Also: safe loading is on, and MMEngine's checkpoints pass it.
    options = ['--work-dir', 'resumed', '--cfg-options', *NARROW]
    resume = [SPIKING, '--resume', checkpoint, *options, 'train_cfg.max_epochs=2']
    call_tool('train', *resume)
    (log,) = Path('resumed').glob('*/*.log')
    assert 'resumed epoch: 1, iter: 2' in log.read_text()
    assert 'Could not safely load' not in log.read_text()
    assert Path('resumed/epoch_2.pth').is_file()
    assert not Path('resumed/epoch_1.pth').exists()


@pytest.mark.slow
def test_train_and_test_as_a_user_runs_them(coco_dir: Path) -> None:
    options = ['--cfg-options', *SMALL, DETECT]
    check(run_tool('train.py', ANN, *options, cwd=coco_dir))
    work_dir = coco_dir / 'work_dirs' / ANN.stem
    check(run_tool('test.py', ANN, work_dir / 'epoch_1.pth', *options, cwd=coco_dir))
    assert columns_of(work_dir)['mAP'] >= 0


@pytest.mark.slow
@pytest.mark.parametrize('path', ALL, ids=lambda path: path.stem)
def test_all_train_and_evaluate(
    path: Path, in_coco: Path, tmp_path: Path, call_tool: Call
) -> None:
    log = 'default_hooks.logger.interval=1'
    two_stages = 'rcnn' in path.stem
    detect = DETECT.replace('test_cfg', 'test_cfg.rcnn') if two_stages else DETECT
    # without the weights of a classifier, which are not there
    start = ['model.backbone.init_cfg=None'] if 'former' in path.stem else []
    small = SMALL
    if 'mask' in path.stem:
        # another pipeline, which resizes to one of several sizes
        small = [*filter(lambda option: 'pipeline.2' not in option, SMALL)]
        start += SMALL_MASKS
    if two_stages:
        start += PROPOSALS
    if 'whole' in path.stem:
        # norms of the coarsest level need more than one position
        start += ['train_dataloader.dataset.pipeline.2.scale=(192,160)']
    call_tool(
        *('train.py', path, '--work-dir', tmp_path),
        *('--cfg-options', *small, *start, log, detect),
    )
    assert all(0 < loss < 100 for loss in losses(tmp_path))
    # Evaluated: there is a best checkpoint.
    assert list(tmp_path.glob('best_coco_bbox_mAP_epoch_1.pth'))


@pytest.mark.slow
def test_two_processes_end_with_equal_weights(coco_dir: Path, tmp_path: Path) -> None:
    """Torch's launcher with gloo, on the CPU: each sees other images."""
    (tmp_path / 'dump_weights.py').write_text(
        'import torch\n'
        'from mmengine.hooks import Hook\n'
        'from mmengine.registry import HOOKS\n\n\n'
        '@HOOKS.register_module()\n'
        'class DumpWeights(Hook):\n'
        '    def after_train(self, runner):\n'
        '        named = dict(runner.model.module.named_parameters())\n'
        "        torch.save(named, f'{runner.work_dir}/rank_{runner.rank}.pth')\n"
    )
    config = tmp_path / 'two.py'
    config.write_text(
        f"_base_ = '{SPIKING}'\n"
        "custom_imports = dict(imports=['mmsnn', 'dump_weights'])\n"
        "custom_hooks = [dict(type='mmengine.DumpWeights')]\n"
    )
    work_dir = tmp_path / 'run'
    result = run_tool(
        *('dist_train.sh', config, 2, '--work-dir', work_dir, '--cfg-options'),
        *(*NARROW, 'env_cfg.dist_cfg.backend=gloo', 'default_hooks.logger.interval=1'),
        'default_hooks.visualization.draw=False',
        cwd=coco_dir,
        PORT=str(20000 + os.getpid() % 7000),
        PYTHONPATH=str(tmp_path),
    )
    check(result)
    assert 'warning: no GPU: BN instead of SyncBN' in result.stderr
    first, second = (
        torch.load(work_dir / f'rank_{rank}.pth', weights_only=False) for rank in (0, 1)
    )
    assert first.keys() == second.keys()
    assert all(torch.equal(first[name], second[name]) for name in first)
    assert all(0 < loss < 100 for loss in losses(work_dir))
    saved = weights(work_dir / 'epoch_1.pth')
    assert all(torch.equal(first[name], saved[name]) for name in first)


@pytest.mark.slow
def test_two_processes_test_as_one_does(coco_dir: Path, tmp_path: Path) -> None:
    checkpoint = tmp_path / 'x.pth'
    save_weights(SPIKING, checkpoint, NARROW)
    result = run_tool(
        *('dist_test.sh', SPIKING, checkpoint, 2, '--work-dir', tmp_path),
        *('--cfg-options', *NARROW, DETECT),
        cwd=coco_dir,
        PORT=str(27000 + os.getpid() % 7000),
    )
    printed = check(result)
    assert sum(line.startswith('metric ') for line in printed.splitlines()) == 1
    assert columns_of(tmp_path)['mAP'] >= 0
