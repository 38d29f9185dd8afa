"""What the user of the analysis tools did wrong is one line, and exit code 2."""

# ruff: noqa: E501 - a row is a line

from collections.abc import Callable

import pytest

ANALYSES = """
get_flops none.py | config 'none.py' does not exist
get_flops {ATTENTIVE} --shape 0 | --shape takes one number or HEIGHT WIDTH, each at least 1
get_flops {ATTENTIVE} --shape 8 -8 | --shape takes one number or HEIGHT WIDTH, each at
get_flops {ATTENTIVE} --shape 8 8 8 | --shape takes one number or HEIGHT WIDTH, each at
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
spikes {att} --layer backbone.stem.neurons | begins with 'backbone.stem.neurons'; \
similar names: ... 'backbone.stem.neuron'
spikes {att} --layer backbone.stem --neuron 1 2 | must be below (16, 8, 8), but got (1, 2)
spikes {att} --traces 0 | traces
spikes {ANN} --random 64 | RetinaNet has no spiking neurons
spikes {ANN} --random 64 --list-layers | RetinaNet has no spiking neurons
coding_dynamics {ANN} --random 64 | config '{ANN}': RetinaNet has no spiking backbone (a \
module derived from ... SpikingBackbone)
coding_dynamics {direct} --compare --random | compare needs an encoder that weights its spikes
coding_dynamics {gated} --levels 0 --random | levels must be 1 to 255, but got 0
coding_dynamics {gated} --channels 0 | --channels must be at least 1, but got 0
coding_dynamics {rate} --random | the model cannot process the images (backbone.stem, \
RateStem) ... intensities in [0, 1]
energy {att} --costs TPU | one of SG, GAC
energy {att} --mac-pj 1 | must be given together
energy {att} --mac-pj 1 --ac-pj 1 --costs SG | without --costs
energy {att} --mac-pj -1 --ac-pj 1 | mac_pj ... -1
energy {att} --word-bits 0 | --word-bits must be at least 1, but got 0
energy {att} --images {bad}/empty | {bad}/empty
energy {att} {bad}/other.pth --random | {bad}/other.pth
firing_rate {plain} --random 32 | ImageClassifier has no spiking neurons
firing_rate {direct} --images {bad}/empty | contains no images
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
anytime {DETECTOR} --iou 2 | iou must be in (0, 1], but got 2
anytime {DETECTOR} --costs TPU | one of SG, GAC
anytime {ATTENTIVE} | no boxes
"""
COCO_ERRORS = """
{bad}/none.json out | results '{bad}/none.json' does not exist
{bad}/text.json out | results '{bad}/text.json' is not a JSON file
{bad}/brace.json out | not a list of detections with bbox, category_id, image_id, score
{bad}/undetected.json out | contain no detection with a score of 0 or more
{bad}/found.json out --types bbox segm | annotations[0]: segmentation must be polygons or RLE, but got None
{bad}/image.json out | image_id 8 is not among those of --ann
{bad}/category.json out | category_id 9 is not among those of --ann
{bad}/listed.json out | image_id [1] is not among those of --ann
{bad}/nan.json out | score of detection 0 must be a finite number
{bad}/score.json out | must be a finite number, but got '1'
{bad}/box.json out | bbox of detection 0 must be four finite
{bad}/found.json out --score-thr 0.99 | no detection with a score of 0.99 or more
{bad}/found.json out --areas 3 2 1 | --areas must be three increasing areas
{bad}/found.json out --ann none.json | none.json: does not exist
{bad}/found.json out --ann {bad}/found.json | found.json: must hold an object with images, annotations and categories
{bad}/found.json out --ann {bad}/objectless.json | annotations '{bad}/objectless.json' contain no objects
"""
CONFUSION = """
none.pkl | 'none.pkl' do not exist: mmsnn test --out
{bad}/bare.pth | predictions '{bad}/bare.pth' must end in .pkl or .pickle
{bad}/broken.pkl | broken.pkl' cannot be read:
{bad}/path.pkl | path.pkl' holds pathlib.
{bad}/dict.pkl | are not those of mmsnn test --out
{bad}/none.pkl | none.pkl' are empty
{bad}/other.pkl | are not a classifier's: pred_label or gt_label is missing
{bad}/detector.pkl | are not a detector's: img_id or
{bad}/ten.pkl | have class 10, but the data set has 10 classes
{bad}/negative.pkl | have class -1, but the data set has 10 classes
{bad}/true.pkl | have class -1, but the data set has 10 classes
{bad}/nan.pkl | pred_score predicted for image 0 are NaN or infinite
{bad}/none.pkl --score-thr 2 | --score-thr must be from 0 to 1, but got 2
{bad}/none.pkl --tp-iou-thr -1 | --tp-iou-thr must be from 0 to 1, but got -1
{bad}/none.pkl --nms-iou-thr 7 | --nms-iou-thr must be from 0 to 1, but got 7
{bad}/none.pkl --color-theme x | a colormap of matplotlib, but got 'x'
"""
LOGS = """
plot_curve none.json | log 'none.json' does not exist
plot_curve {bad}/empty | empty' has no log: it does not contain */vis_data/scalars.json
plot_curve {bad}/text.json | line 2 is not a JSON object
plot_curve {bad}/list.json | line 1 is not a JSON object
plot_curve {bad}/run --keys mAP | has no 'mAP'; it has coco/bbox_mAP, loss, time
plot_curve {bad}/run --start-epoch 3 | has no 'loss' from epoch 3 on
plot_curve {bad}/run {bad}/run --legend a | must name each of the 2 curves, but got 1
plot_curve {bad}/run --out a.xyz | --out 'a.xyz':
plot_curve {bad}/run --out {bad}/text.json/a.png | --out '{bad}/text.json/a.png':
cal_train_time {bad}/untimed | holds no training times
cal_train_time {bad}/short.json | as an outlier: give --include-outliers
"""


def cases(table: str, before: str = '', after: str = '') -> list[str]:
    """Return the rows of a table, between words of the command that are the same."""
    rows = [row.split(' | ') for row in table.strip().splitlines()]
    return [f'{before}{command}{after} | {line}' for command, line in rows]


@pytest.mark.parametrize(
    'row',
    [
        *cases(ANALYSES),
        *cases(LOGS, 'analyze_logs '),
        *cases(CONFUSION, 'confusion_matrix {ATTENTIVE} ', ' out'),
        *cases(COCO_ERRORS, 'coco_error_analysis --ann {bad}/ann.json '),
    ],
)
def test_mistake(row: str, refuse: Callable[[str], None]) -> None:
    refuse(row)
