# Spiking RetinaNet with SG ResNet18 on PEDRo: T = 5, two bins per frame.
_base_ = [
    '../_base_/models/retinanet_r18_fpn.py',
    '../_base_/datasets/pedro_detection.py',
    '../_base_/schedules/adamw_12e.py',
    '../_base_/default_runtime.py',
]

in_channels = [128, 256, 512]

model = dict(
    data_preprocessor=dict(
        _delete_=True,
        type='mmsnn.EventDetDataPreprocessor',
        num_steps=_base_.num_steps,
        channels=2 * _base_.num_bins,
        pad_size_divisor=32,
    ),
    backbone=dict(
        _delete_=True,
        type='mmsnn.SGResNet',
        depth=18,
        in_channels=2 * _base_.num_bins,
        num_steps=_base_.num_steps,
        out_indices=(1, 2, 3),
        norm_cfg=dict(type='SyncBN'),
    ),
    neck=[
        dict(
            type='mmsnn.SpikeDecoder',
            decoder=dict(type='ASD'),
            in_channels=in_channels,
            num_steps=_base_.num_steps,
        ),
        dict(
            type='FPN',
            in_channels=in_channels,
            out_channels=256,
            add_extra_convs='on_input',
            num_outs=5,
        ),
    ],
    bbox_head=dict(num_classes=1),
)

auto_scale_lr = dict(base_batch_size=64)
optim_wrapper = dict(optimizer=dict(lr=1e-3))
