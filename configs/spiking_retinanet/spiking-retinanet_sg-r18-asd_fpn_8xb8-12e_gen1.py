# Spiking RetinaNet with SG ResNet18 on Gen1: T = 5, two bins per frame.
_base_ = [
    '../_base_/models/spiking_retinanet_r18_fpn_events.py',
    '../_base_/datasets/gen1_detection.py',
    '../_base_/schedules/adamw_12e.py',
    '../_base_/default_runtime.py',
]

model = dict(bbox_head=dict(num_classes=2))

auto_scale_lr = dict(base_batch_size=64)
optim_wrapper = dict(optimizer=dict(lr=1e-3))
