# A narrow E-SpikeFormer (integer neurons, one time step) for the bundled digits
# detection set; data, schedule, FPN and head are those of SG ResNet10.
_base_ = [
    '../_base_/models/retinanet_r18_fpn_digits.py',
    '../_base_/datasets/digits_detection.py',
    '../_base_/schedules/adamw_8e.py',
    '../_base_/digits_runtime.py',
]

num_steps = 1
in_channels = [16, 32, 64, 96]

model = dict(
    backbone=dict(
        _delete_=True,
        type='mmsnn.ESpikeFormer',
        channels=in_channels,
        num_steps=num_steps,
        out_indices=(0, 1, 2, 3),
    ),
    neck=[
        dict(
            type='mmsnn.SpikeDecoder',
            decoder=dict(type='Rate'),
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
    bbox_head=dict(
        # the last stage does not downsample: two levels have stride 16
        anchor_generator=dict(
            strides=[4, 8, 16, 16, 32], base_sizes=[4, 8, 16, 32, 64]
        ),
    ),
)
