"""What the user did wrong is one line that says so, and exit code 2."""

# ruff: noqa: E501 - a row is a line

from collections.abc import Callable
from pathlib import Path

import pytest

from .tiny_coco import ANN, Fail

TRAINING = """
train configs/none.py | config 'configs/none.py' does not exist (looked in {cwd})
test configs/none.py x.pth | config 'configs/none.py' does not exist (looked in {cwd})
train {CONFIGS} | config '{CONFIGS}' is not a file
train {bad}/config.txt | config.txt' cannot be read: OSError
train {bad}/a.py | is its own _base_ ... {bad}/a.py -> {bad}/b.py -> {bad}/a.py
train {BASES}/models/retinanet_r18_fpn.py | cannot be used to train: it does not define \
train_dataloader, train_cfg, optim_wrapper
test {BASES}/schedules/sgd-amp_72e.py x.pth | cannot be used to test: it does not define \
model, test_dataloader, test_evaluator
train {ANN} --cfg-options lr | --cfg-options 'lr': it must be KEY=VALUE
train {ANN} --cfg-options =3 | --cfg-options '=3': it must be KEY=VALUE
train {ANN} --cfg-options model..depth=3 | 'model..depth=3': it must be KEY=VALUE
train {ANN} --cfg-options scale=[(1,2] | --cfg-options ... Imbalanced brackets
train {ANN} --cfg-options data_root.x=1 | --cfg-options ... data_root
train {ANN} --cfg-options param_scheduler.7.gamma=1 | --cfg-options ... Index 7 exceeds
train {SPIKING} --cfg-options {SMALL} model.backbone.depth=20 | config '{SPIKING}' cannot \
be built: model: ... depth must be one of ... (MMSNN_TRACEBACK=1 shows where)
train {ANN} --auto-scale-lr --cfg-options auto_scale_lr=None | --auto-scale-lr needs \
auto_scale_lr.base_batch_size in config '{ANN}'
train {ANN} --skip-broken 0 | --skip-broken must be at least 1, but got 0
train {ANN} --launcher pytorch | --launcher pytorch needs RANK in the environment
train {ANN} --launcher slurm | --launcher slurm needs SLURM_PROCID in the environment
train {ANN} --launcher mpi | --launcher mpi needs OMPI_COMM_WORLD_RANK in the environment
test {ANN} x.pth --out result.json | --out must end in .pkl or .pickle, but got \
'result.json'
test {ANN} x.pth --show-dir pictures --cfg-options default_hooks.visualization=None | \
--show and --show-dir need default_hooks.visualization
test {ANN} {bad}/other.pth --tta --cfg-options default_scope=mmpretrain | --tta needs \
tta_model and tta_pipeline in config '{ANN}'
"""
DATA = """
train {ANN} --cfg-options {T}.data_root=data/none | {T}.data_root: 'data/none' does not \
exist (looked in {cwd})
train {ANN} --cfg-options {T}.ann_file=annotations/none.json | {T}.ann_file: \
'data/coco/annotations/none.json' does not exist (looked in {cwd})
train {ANN} --cfg-options {T}.data_prefix.img=none/ | {T}.data_prefix.img: \
'data/coco/none' does not exist (looked in {cwd})
train {ANN} --cfg-options {V}.ann_file=none.json | {V}.ann_file: 'data/coco/none.json' \
does not exist (looked in {cwd})
train {ANN} --cfg-options val_evaluator.ann_file=none.json | val_evaluator.ann_file: \
'none.json' does not exist (looked in {cwd})
test {ANN} x.pth --cfg-options test_dataloader.dataset.data_root=data/none | \
test_dataloader.dataset.data_root: 'data/none' does not
browse_dataset {DETECTOR} | data_root: 'data/digits_detection/' does not exist
benchmark {DETECTOR} | data_root: 'data/digits_detection/' does not exist
train {FASHION} --cfg-options {T}.download=False | {T}.data_root: 'data/fashion_mnist/' \
does not exist
"""
TEST = 'test {ANN} {bad}/NAME --work-dir {bad} --cfg-options {SMALL}'
CHECKPOINTS = f"""
{TEST.replace('NAME', 'unsafe.pth')} | checkpoint '{{bad}}/unsafe.pth' holds \
posix.system, but only tensors, arr
{TEST.replace('NAME', 'other.pth')} | checkpoint '{{bad}}/other.pth' fits no parameter of \
the model: it has a.wei
train {{ANN}} --cfg-options load_from= | load_from must be
train {{ANN}} --resume {{bad}}/other.pth | cannot resume from '{{bad}}/other.pth': it holds \
no meta, message_hub, optimizer, param_schedulers ... load_from={{bad}}/other.pth
train {{ANN}} --work-dir {{bad}}/gone --resume | checkpoint '{{bad}}/gone/epoch_3.pth' does \
not exist
train {{bad}}/pretrained.py | model.backbone.init_cfg.checkpoint: 'none.pth' does not exist \
(looked in {{cwd}})
"""
OTHERS = """
events n_mnist {bad}/set | dataset must be one of cifar10_dvs, dvs128_gesture
events cifar10_dvs {bad}/set | lacks the folders of classes airplane
events cifar10_dvs data/nowhere | data_root 'data/nowhere' does not exist
events dvs128_gesture {bad}/set --num-steps 0 | num_steps must be at least 1
events dvs128_gesture {bad}/set --num-steps 91 | has 90 events, which cannot be
events dvs128_gesture {bad}/set --workers 0 | workers must be at least 1
events dvs128_gesture {bad}/set --cache-dir /dev/null/frames | /dev/null/frames
events cifar10_dvs {bad} --cache-dir {NOWHERE} | {bad}
resnet none.py {bad}/other.pth out.pth | config 'none.py' does not exist (looked in {cwd})
digits_detection --max-objects 99 | max_objects must be from 1 to 20, but got 99
digits_detection --out-dir {TOOLS} | not part of a digits detection set
digits_detection --out-dir /dev/null/set | /dev/null/set
digits_detection --out-dir {NOWHERE} | {NOWHERE}
resnet {SPIKING} none.pth out.pth | checkpoint 'none.pth' does not exist
resnet {SPIKING} {bad}/other.pth {bad}/other.pth/x | /x': nothing can be written
resnet {ANN} {bad}/other.pth out.pth | the model's backbone must be a spiking ResNet, but \
it is ResNet
resnet {bad}/bare.py {bad}/other.pth out.pth | config '{bad}/bare.py' defines no model
resnet {bad}/type.py {bad}/other.pth out.pth | '{bad}/type.py' cannot be built: KeyError:
resnet {bad}/depth.py {bad}/other.pth out.pth | config '{bad}/depth.py' cannot be built:
"""
WRITING = """
train {ANN} --work-dir {NOWHERE}
test {ANN} x.pth --work-dir {NOWHERE}
test {ANN} x.pth --out {NOWHERE}/x.pkl
train {ANN} --cfg-options val_evaluator.outfile_prefix={NOWHERE}/results
test {ANN} x.pth --cfg-options test_evaluator.outfile_prefix={NOWHERE}/results
demo --work-dir {NOWHERE}
analyze_logs plot_curve x --out {NOWHERE}.png
benchmark {SPIKING} --work-dir {NOWHERE}
browse_dataset {SPIKING} --output-dir {NOWHERE}
coco_error_analysis x.json {NOWHERE} --ann a.json
confusion_matrix {SPIKING} x.pkl {NOWHERE}
coding_dynamics {SPIKING} --out-dir {NOWHERE}
energy {SPIKING} --out-dir {NOWHERE}
firing_rate {SPIKING} --out-dir {NOWHERE}
gradient_flow {SPIKING} --out-dir {NOWHERE}
spikes {SPIKING} --out-dir {NOWHERE}
resnet {SPIKING} x.pth {NOWHERE}/x.pth
"""


def cases(*tables: str) -> list[str]:
    return [row for table in tables for row in table.strip().splitlines()]


@pytest.mark.parametrize('row', cases(TRAINING, DATA, CHECKPOINTS, OTHERS))
def test_mistake(row: str, refuse: Callable[[str], None]) -> None:
    refuse(row)


@pytest.mark.parametrize('row', cases(WRITING))
def test_a_folder_that_cannot_be_written(
    row: str, refuse: Callable[[str], None]
) -> None:
    """Said before the work starts."""
    refuse(f'{row} | {{NOWHERE}} ... nothing can be written there')


def test_a_disk_that_is_full_at_the_end(fail_tool: Fail, folder: Path) -> None:
    Path('log.json').write_text('{"loss": 1, "iter": 1}\n{"loss": 2, "iter": 2}')
    Path('curve.png').symlink_to('/dev/full')
    options = ['log.json', '--keys', 'loss', '--out', 'curve.png']
    line = fail_tool('analyze_logs', 'plot_curve', *options)
    assert 'No space left on device' in line


@pytest.mark.parametrize(
    ('text', 'problem'),
    [
        ('model = dict(', 'SyntaxError: '),
        ('model = nothing', "NameError: name 'nothing' is not defined"),
        ("_base_ = './missing.py'", 'missing.py'),
        ("custom_imports = dict(imports=['not_there'])", 'not_there'),
        ('import sys\nsys.exit(0)', 'SystemExit'),
        ('raise BaseException(1)', 'BaseException: 1'),
        ('raise TypeError("\'int\' object is not iterable")', "'int' object is not"),
        ("raise ValueError('\\x1b[31mred\\x1b[0m')", 'ValueError: red'),
        ('def f(): f()\nf()', 'RecursionError'),
    ],
)
def test_broken_config(fail_tool: Fail, folder: Path, text: str, problem: str) -> None:
    Path('broken.py').write_text(text)
    line = fail_tool('train', 'broken.py')
    assert line.startswith("config 'broken.py' cannot be read: ")
    assert problem in line


def test_slurm_needs_gpus(
    fail_tool: Fail, in_coco: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr('mmsnn.utils.cpu.has_accelerator', lambda: False)
    monkeypatch.setenv('SLURM_PROCID', '0')
    line = fail_tool('train', ANN, '--launcher', 'slurm')
    assert '--launcher slurm needs GPUs' in line
