# SG ResNet18 with ASD on event frames: T = 5, two bins per frame.
_base_ = 'retinanet_r18_fpn.py'

num_steps = 5
channels = 4
in_channels = [128, 256, 512]

model = dict(
    data_preprocessor=dict(
        _delete_=True,
        type='mmsnn.EventDetDataPreprocessor',
        num_steps=num_steps,
        channels=channels,
        pad_size_divisor=32,
    ),
    backbone=dict(
        _delete_=True,
        type='mmsnn.SGResNet',
        depth=18,
        in_channels=channels,
        num_steps=num_steps,
        out_indices=(1, 2, 3),
        norm_cfg=dict(type='SyncBN'),
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
            out_channels=256,
            add_extra_convs='on_input',
            num_outs=5,
        ),
    ],
)
