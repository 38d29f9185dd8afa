# The narrow Spiking RetinaNet of the digits detection set, on event recordings of T = 4
# frames with two bins each.
_base_ = [
    '../_base_/models/spiking_retinanet_r10_fpn_digits.py',
    '../_base_/datasets/event_digits_detection.py',
    '../_base_/schedules/adamw_16e.py',
    '../_base_/digits_runtime.py',
]

num_bins = 2

model = dict(
    data_preprocessor=dict(
        _delete_=True,
        type='mmsnn.EventDetDataPreprocessor',
        num_steps=_base_.num_steps,
        channels=2 * num_bins,
        pad_size_divisor=32,
    ),
    backbone=dict(in_channels=2 * num_bins),
)
