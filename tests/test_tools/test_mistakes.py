"""What the user did wrong is one line that says so, and exit code 2."""

# ruff: noqa: E501 - a row is a line

import os
import pickle
import shlex
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from mmengine.config import Config
from test_datasets.event_files import write_dvs128_gesture

from .reports import write_narrow
from .tiny_coco import (
    ANN,
    ATTENTIVE,
    CONFIGS,
    DETECTOR,
    DIRECT,
    GATED,
    SMALL,
    SPIKING,
    Fail,
)

FASHION = CONFIGS / 'fashion_mnist' / 'sg-r10-asd_1xb64-8e_fashion-mnist.py'
T1 = CONFIGS / 'imagenet' / 'danet-a-r18-t1_8xb32-amp-120e_imagenet.py'
BASES = CONFIGS / '_base_'
# Nobody can write in this file system, not even root.
NOWHERE = '/proc/self/mmsnn'
# A command line, and what its line says; what lies between is at the dots.
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
train {ANN} --launcher pytorch | --launcher pytorch ... RANK in their environment
train {ANN} --launcher slurm | --launcher slurm ... SLURM_PROCID in their environment
train {ANN} --launcher mpi | --launcher mpi ... OMPI_COMM_WORLD_RANK in their environment
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
get_flops {DETECTOR} | data_root: 'data/digits_detection/' does not exist
browse_dataset {DETECTOR} | data_root: 'data/digits_detection/' does not exist
benchmark {DETECTOR} | data_root: 'data/digits_detection/' does not exist
train {FASHION} --cfg-options {T}.download=False | {T}.data_root: 'data/fashion_mnist/' \
does not exist
"""
TEST = 'test {ANN} {bad}/NAME --work-dir {bad} --cfg-options {SMALL}'
CHECKPOINTS = f"""
{TEST.replace('NAME', 'none.pth')} | checkpoint '{{bad}}/none.pth' does not exist
{TEST.replace('/NAME', '')} | checkpoint '{{bad}}' is not a file
{TEST.replace('NAME', 'text.pth')} | text.pth' is not a checkpoint that torch can load (
{TEST.replace('NAME', 'nothing.pth')} | nothing.pth' is not a checkpoint that torch can \
load (EOFError
{TEST.replace('NAME', 'numbers.pth')} | numbers.pth' is not a checkpoint that torch can
{TEST.replace('NAME', 'empty.pth')} | checkpoint '{{bad}}/empty.pth' holds no weights
{TEST.replace('NAME', 'list.pth')} | checkpoint '{{bad}}/list.pth' holds no weights
{TEST.replace('NAME', 'unsafe.pth')} | checkpoint '{{bad}}/unsafe.pth' holds \
posix.system, but only tensors, arr
{TEST.replace('NAME', 'other.pth')} | checkpoint '{{bad}}/other.pth' fits no parameter of \
the model: it has a.wei
{TEST.replace('NAME', 'bare.pth')} | checkpoint '{{bad}}/bare.pth' fits no parameter of \
the model: it has a.wei
train {{ANN}} --cfg-options load_from=none.pth | checkpoint 'none.pth' does not exist
train {{ANN}} --cfg-options load_from= | load_from must be
train {{ANN}} --resume none.pth | checkpoint 'none.pth' does not exist
train {{ANN}} --resume {{bad}}/other.pth | cannot resume from '{{bad}}/other.pth': it holds \
no meta, message_hub, optimizer, param_schedulers ... load_from={{bad}}/other.pth
train {{ANN}} --work-dir {{bad}}/gone --resume | checkpoint '{{bad}}/gone/epoch_3.pth' does \
not exist
train {{bad}}/pretrained.py | model.backbone.init_cfg.checkpoint: 'none.pth' does not exist \
(looked in {{cwd}})
"""
ANALYSES = """
get_flops none.py | config 'none.py' does not exist
get_flops {ATTENTIVE} --shape 0 | --shape takes one number or HEIGHT WIDTH, each at least 1
get_flops {ATTENTIVE} --shape 8 -8 | --shape takes one number or HEIGHT WIDTH, each at
get_flops {ATTENTIVE} --shape 8 8 8 | --shape takes one number or HEIGHT WIDTH, each at
get_flops {ATTENTIVE} --num-images 0 | num_images must be at least 1
browse_dataset none.py | config 'none.py' does not exist
browse_dataset {ATTENTIVE} --num-images 0 | --num-images must be at least 1, but got 0
browse_dataset {bad}/bare.py | config '{bad}/bare.py' defines no train_dataloader
browse_dataset {ATTENTIVE} --cfg-options visualizer=None | '{ATTENTIVE}' defines no \
visualizer
benchmark none.py | config 'none.py' does not exist
benchmark {SPIKING} --repeat-num 0 | --repeat-num must be at least 1, but got 0
benchmark {SPIKING} --max-iter 0 | --max-iter must be at least 1, but got 0
benchmark {SPIKING} --num-warmup -1 | --num-warmup must be at least 0, but got -1
benchmark {SPIKING} --batch-size 3 | --batch-size 3: the test set has 2 images
benchmark {SPIKING} --checkpoint none.pth | checkpoint 'none.pth' does not exist
benchmark {SPIKING} --task dataloader --dataset-type train --cfg-options \
train_dataloader.batch_sampler=None train_dataloader.drop_last=True \
train_dataloader.batch_size=8 | train_dataloader drops its last batch of 8, and has no other: the data set has 3
spikes {att} --layer backbone.stem.neurons | begins with 'backbone.stem.neurons'; close to \
it are ... 'backbone.stem.neuron'
spikes {att} --layer backbone.stem --neuron 1 2 | indices below (16, 8, 8), but got (1, 2)
spikes {att} --traces 0 | traces
spikes {ANN} --random 64 | RetinaNet has no spiking neurons
spikes {ANN} --random 64 --list-layers | RetinaNet has no spiking neurons
coding_dynamics {ANN} --random 64 | config '{ANN}': RetinaNet has no spiking backbone (a \
module derived from ... SpikingBackbone)
coding_dynamics {direct} --compare --random | are compared with direct coding of the same
coding_dynamics {gated} --levels 0 --random | levels must be 1 to 255, but got 0
coding_dynamics {gated} --channels 0 | --channels must be at least 1, but got 0
coding_dynamics {rate} --random | the images do not pass the model (backbone.stem, \
RateStem) ... intensities in [0, 1]
energy {att} --costs TPU | one of SG, GAC
energy {att} --mac-pj 1 | belong together
energy {att} --mac-pj 1 --ac-pj 1 --costs SG | without --costs
energy {att} --mac-pj -1 --ac-pj 1 | mac_pj ... -1
energy {att} --images {bad}/empty | {bad}/empty
energy {att} {bad}/other.pth --random | {bad}/other.pth
firing_rate {plain} --random 32 | ImageClassifier has no spiking neurons
firing_rate {direct} --images {bad}/empty | holds no image
firing_rate {t1} --random 32 --num-images 1 --batch-stats | norm \
'backbone.stages.3.0.branch.0.norm' ... at least 2 images per batch (--batch-size
gradient_flow {t1} --random 32 --num-images 1 | norm \
'backbone.stages.3.0.branch.0.norm' ... at least 2 images per batch (--batch-size
gradient_flow {ANN} --random 32 --num-images 1 | '{ANN}' ... RetinaNet has no spiking neurons
inference --pairs 0 | --pairs must be at least 1, but got 0
inference --threads 0 | --threads must be at least 1, but got 0
inference --images 0 | --images must be at least 1, but got 0
inference --size 0 | --size must be at least 1, but got 0
inference --steps 0 | --steps must be at least 1, but got 0
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
resnet {SPIKING} none.pth out.pth | checkpoint 'none.pth' does not exist
resnet {SPIKING} {bad}/other.pth {bad}/other.pth/x | /x': nothing can be written
resnet {ANN} {bad}/other.pth out.pth | the model's backbone must be a spiking ResNet, but \
it is ResNet
resnet {bad}/bare.py {bad}/other.pth out.pth | config '{bad}/bare.py' does not define model
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
TEXTS = {
    'a.py': "_base_ = ['./b.py']",
    'b.py': "_base_ = 'a.py'",
    'config.txt': 'model = 1',
    'bare.py': 'x = 1',
    'type.py': "model = dict(type='NoSuchModel')",
    'depth.py': "custom_imports = dict(imports=['mmsnn'])\n"
    "model = dict(type='mmsnn.SEWResNet', depth=20)",
    'pretrained.py': f"_base_ = '{SPIKING}'\nmodel = dict(backbone=dict("
    "init_cfg=dict(type='Pretrained', checkpoint='none.pth')))\n",
    'text.pth': 'hello',
    'nothing.pth': '',
}


class _Touch:
    """Pickles to a call of a function: what safe loading is there to refuse."""

    def __reduce__(self) -> tuple[Callable[[str], int], tuple[str]]:
        return os.system, ('touch ran_from_a_checkpoint',)


@pytest.fixture(scope='module')
def names(
    coco_dir: Path, tmp_path_factory: pytest.TempPathFactory
) -> dict[str, object]:
    """What the command lines name: configs, and a folder of files of no use."""
    place, bad = map(tmp_path_factory.mktemp, ('place', 'bad'))
    (place / 'data').symlink_to(coco_dir / 'data')
    for folder in ('empty', 'gone', 'rate'):
        (bad / folder).mkdir()
    for name, text in TEXTS.items():
        (bad / name).write_text(text)
    (bad / 'gone' / 'last_checkpoint').write_text(f'{bad}/gone/epoch_3.pth')
    (bad / 'numbers.pth').write_bytes(pickle.dumps([1, 2]))
    weights = {'a.weight': torch.ones(2)}
    for name, content in {
        'other': {'state_dict': weights},
        'bare': weights,
        'empty': {'epoch': 1},
        'list': [torch.ones(1)],
        'unsafe': {'state_dict': {}, 'run': _Touch()},
    }.items():
        torch.save(content, bad / f'{name}.pth')
    write_dvs128_gesture(bad / 'set' / 'DvsGesture')
    plain = Config.fromfile(DIRECT)
    plain.model = dict(
        type='ImageClassifier',
        backbone=dict(type='ResNet_CIFAR', depth=18, base_channels=8, stem_channels=8),
        neck=dict(type='GlobalAveragePooling'),
        head=dict(type='LinearClsHead', num_classes=10, in_channels=64),
    )
    plain.dump(bad / 'plain.py')
    stem = dict(type='RateStem', kernel_size=3, stride=1, pool=False)
    return dict(
        att=write_narrow(bad, ATTENTIVE),
        gated=write_narrow(bad, GATED),
        direct=write_narrow(bad, DIRECT),
        t1=write_narrow(bad, T1),
        rate=write_narrow(bad / 'rate', DIRECT, stem=stem),
        plain=bad / 'plain.py',
        bad=bad,
        cwd=place,
        **dict(ANN=ANN, ATTENTIVE=ATTENTIVE, BASES=BASES, CONFIGS=CONFIGS),
        **dict(DETECTOR=DETECTOR, FASHION=FASHION, NOWHERE=NOWHERE, SPIKING=SPIKING),
        **dict(SMALL=' '.join(SMALL), T='train_dataloader.dataset'),
        V='val_dataloader.dataset',
    )


def cases(*tables: str) -> list[str]:
    return [row for table in tables for row in table.strip().splitlines()]


@pytest.mark.parametrize('row', cases(TRAINING, DATA, CHECKPOINTS, ANALYSES, OTHERS))
def test_mistake(
    row: str, names: dict, fail_tool: Fail, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(names['cwd'])
    for variable in ('RANK', 'SLURM_PROCID', 'OMPI_COMM_WORLD_RANK'):
        monkeypatch.delenv(variable, raising=False)
    command, expected = (part.format(**names) for part in row.split(' | '))
    line = fail_tool(*shlex.split(command))
    assert not [part for part in expected.split(' ... ') if part not in line], line
    assert not Path('ran_from_a_checkpoint').exists()
    assert not Path('out.pth').exists()


@pytest.mark.parametrize('row', cases(WRITING))
def test_a_folder_that_cannot_be_written(
    row: str, names: dict, fail_tool: Fail, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Said before the work starts."""
    monkeypatch.chdir(names['cwd'])
    line = fail_tool(*shlex.split(row.format(**names)))
    assert NOWHERE in line
    assert 'nothing can be written there' in line


def test_a_data_set_that_cannot_be_written(fail_tool: Fail) -> None:
    assert NOWHERE in fail_tool('digits_detection', '--out-dir', NOWHERE)


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
