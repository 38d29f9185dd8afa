# A narrow E-SpikeFormer (integer neurons, one time step) for the bundled digits
# detection set; data, schedule, FPN and head are those of SG ResNet10.
_base_ = [
    '../_base_/models/retinanet_r18_fpn.py',
    '../_base_/datasets/digits_detection.py',
    '../_base_/schedules/adamw_8e.py',
    '../_base_/default_runtime.py',
]

num_steps = 1
in_channels = [16, 32, 64, 96]
out_channels = 64

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
            out_channels=out_channels,
            add_extra_convs='on_output',
            num_outs=5,
            norm_cfg=dict(type='BN'),
        ),
    ],
    bbox_head=dict(
        num_classes=10,
        in_channels=out_channels,
        feat_channels=out_channels,
        stacked_convs=2,
        norm_cfg=dict(type='GN', num_groups=8),
        # the last stage does not downsample: two levels have stride 16
        anchor_generator=dict(
            ratios=[1.5], strides=[4, 8, 16, 16, 32], base_sizes=[4, 8, 16, 32, 64]
        ),
        reg_decoded_bbox=True,
        loss_bbox=dict(_delete_=True, type='GIoULoss', loss_weight=2.0),
    ),
)

default_hooks = dict(
    checkpoint=dict(interval=4, max_keep_ckpts=1, save_best=None),
    logger=dict(interval=100),
)
randomness = dict(seed=0)
