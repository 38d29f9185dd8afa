# A RetinaNet that spikes throughout, with integer neurons (I-LIF, D = 4) at T = 1:
# PA-A-S ResNet10 of half width, 64 channels in the FPN and the head.
_base_ = 'retinanet_r18_fpn_digits.py'

num_steps = 1
neuron = dict(type='ILIF', max_value=4)

model = dict(
    backbone=dict(
        _delete_=True,
        type='mmsnn.ResNetSNN',
        depth=10,
        family='PA-A-S',
        base_channels=32,
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
