# A RetinaNet that spikes throughout, for the bundled digits detection set, sized for
# two CPU cores: integer neurons (I-LIF, D = 4) at T = 1.
_base_ = [
    '../_base_/models/retinanet_r18_fpn_digits.py',
    '../_base_/datasets/digits_detection.py',
    '../_base_/schedules/adamw_8e.py',
    '../_base_/digits_runtime.py',
]

num_steps = 1
neuron = dict(type='ILIF', max_value=4)

model = dict(
    backbone=dict(
        _delete_=True,
        type='mmsnn.ResNetSNN',
        depth=10,
        family='PA-A-S',
        base_channels=32,
        # 5x5 instead of 7x7: the stem is the only layer that multiplies
        stem=dict(type='DirectStem', kernel_size=5, stride=2, pool=True),
        num_steps=num_steps,
        neuron=neuron,
        out_indices=(0, 1, 2, 3),
    ),
    neck=dict(
        _delete_=True,
        type='mmsnn.SpikingFPN',
        in_channels=[32, 64, 128, 256],
        out_channels=64,
        add_extra_convs='on_output',
        num_outs=5,
        num_steps=num_steps,
        neuron=neuron,
        norm_cfg=dict(type='BN'),
    ),
    bbox_head=dict(type='mmsnn.SpikingRetinaHead', num_steps=num_steps, neuron=neuron),
)
