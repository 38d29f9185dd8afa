_base_ = [
    '../_base_/models/faster-rcnn_r18_fpn.py',
    '../_base_/datasets/coco_detection.py',
    '../_base_/schedules/sgd-amp_72e.py',
    '../_base_/default_runtime.py',
]

num_steps = 4
in_channels = [64, 128, 256, 512]

# Only these parts are spiking: another backbone, and a decoder before the FPN.
model = dict(
    backbone=dict(
        _delete_=True,
        type='mmsnn.SGResNet',
        depth=18,
        num_steps=num_steps,
        out_indices=(0, 1, 2, 3),
        norm_cfg=dict(type='SyncBN'),
    ),
    neck=[
        dict(
            type='mmsnn.SpikeDecoder',
            decoder=dict(type='ASD'),
            in_channels=in_channels,
            num_steps=num_steps,
        ),
        dict(type='FPN', in_channels=in_channels, out_channels=256, num_outs=5),
    ],
)
