# The twin without spikes of the spiking RetinaNets for the bundled digits detection
# set: ResNet10 of half width with a 5x5 stem, the same FPN, head and schedule.
_base_ = [
    '../_base_/models/retinanet_r18_fpn.py',
    '../_base_/datasets/digits_detection.py',
    '../_base_/schedules/adamw_8e.py',
    '../_base_/default_runtime.py',
]

in_channels = [32, 64, 128, 256]
out_channels = 64

model = dict(
    backbone=dict(
        _delete_=True,
        type='mmsnn.ResNetSNN',
        depth=10,
        # with ReLUs it is an ordinary ResNet
        family='Spiking',
        neuron=dict(type='mmsnn.ReLU'),
        num_steps=1,
        base_channels=32,
        stem=dict(type='DirectStem', kernel_size=5, stride=2, pool=True),
        out_indices=(0, 1, 2, 3),
    ),
    neck=[
        dict(
            type='mmsnn.SpikeDecoder',
            decoder=dict(type='Rate'),
            in_channels=in_channels,
            num_steps=1,
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
        # P2 to P6, one level finer than the paper, for upright digits of 18 pixels
        anchor_generator=dict(ratios=[1.5], strides=[4, 8, 16, 32, 64]),
        reg_decoded_bbox=True,
        loss_bbox=dict(_delete_=True, type='GIoULoss', loss_weight=2.0),
    ),
)

default_hooks = dict(
    checkpoint=dict(interval=4, max_keep_ckpts=1, save_best=None),
    logger=dict(interval=100),
)
randomness = dict(seed=0)
