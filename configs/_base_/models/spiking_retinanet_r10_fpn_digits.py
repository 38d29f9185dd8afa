# SG ResNet10 of half width with ASD, T = 4, and 64 channels in the FPN and the head.
_base_ = 'retinanet_r18_fpn_digits.py'

num_steps = 4
in_channels = [32, 64, 128, 256]

model = dict(
    backbone=dict(
        _delete_=True,
        type='mmsnn.SGResNet',
        depth=10,
        base_channels=32,
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
