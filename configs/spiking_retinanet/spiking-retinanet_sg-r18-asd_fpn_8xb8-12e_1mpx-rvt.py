# Spiking RetinaNet with SG ResNet18 on 1 Mpx in RVT's files: T = 5, ten bins per frame.
_base_ = [
    '../_base_/models/spiking_retinanet_r18_fpn_events.py',
    '../_base_/datasets/megapixel_rvt_detection.py',
    '../_base_/schedules/adamw_12e.py',
    '../_base_/default_runtime.py',
]

channels = 20
model = dict(
    data_preprocessor=dict(channels=channels),
    backbone=dict(in_channels=channels),
    bbox_head=dict(num_classes=3),
)

auto_scale_lr = dict(base_batch_size=64)
optim_wrapper = dict(optimizer=dict(lr=1e-3))
