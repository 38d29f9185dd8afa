# The narrow Spiking RetinaNet of the digits detection set, on event recordings of T = 4
# frames with two bins each.
_base_ = [
    '../_base_/models/retinanet_r18_fpn_digits.py',
    '../_base_/datasets/event_digits_detection.py',
    '../_base_/schedules/adamw_16e.py',
    '../_base_/digits_runtime.py',
]

num_steps = 4
num_bins = 2
in_channels = [32, 64, 128, 256]

model = dict(
    data_preprocessor=dict(
        _delete_=True,
        type='mmsnn.EventDetDataPreprocessor',
        num_steps=num_steps,
        channels=2 * num_bins,
        pad_size_divisor=32,
    ),
    backbone=dict(
        _delete_=True,
        type='mmsnn.SGResNet',
        depth=10,
        base_channels=32,
        in_channels=2 * num_bins,
        num_steps=num_steps,
        out_indices=(0, 1, 2, 3),
    ),
    neck=[
        dict(
            type='mmsnn.SpikeDecoder',
            decoder=dict(type='ASD'),
            in_channels=in_channels,
            num_steps=num_steps,
        ),
        dict(
            type='FPN',
            in_channels=in_channels,
            out_channels=64,
            add_extra_convs='on_output',
            num_outs=5,
            norm_cfg=dict(type='BN'),
        ),
    ],
)
