# Integer neurons (I-LIF, D = 4) at T = 1 in backbone, FPN and head.
_base_ = [
    '../_base_/models/retinanet_r18_fpn.py',
    '../_base_/datasets/coco_detection.py',
    '../_base_/schedules/sgd-amp_72e.py',
    '../_base_/default_runtime.py',
]

num_steps = 1
neuron = dict(type='ILIF', max_value=4)

model = dict(
    backbone=dict(
        _delete_=True,
        type='mmsnn.ResNetSNN',
        depth=18,
        family='PA-A-S',
        # 3x3 instead of 7x7: the stem is the only layer that multiplies
        stem=dict(type='DirectStem', kernel_size=3, stride=2, pool=True),
        num_steps=num_steps,
        neuron=neuron,
        out_indices=(1, 2, 3),
        norm_cfg=dict(type='SyncBN'),
    ),
    neck=dict(
        _delete_=True,
        type='mmsnn.SpikingFPN',
        in_channels=[128, 256, 512],
        out_channels=256,
        add_extra_convs='on_input',
        num_outs=5,
        num_steps=num_steps,
        neuron=neuron,
        norm_cfg=dict(type='SyncBN'),
    ),
    bbox_head=dict(
        type='mmsnn.SpikingRetinaHead',
        num_steps=num_steps,
        neuron=neuron,
        norm_cfg=dict(type='GN', num_groups=32),
    ),
)
