# A RetinaNet that spikes throughout (I-LIF, D = 4, T = 1) on one frame of four bins.
_base_ = './retinanet_r10_fpn_1xb8-16e_event-digits.py'

num_bins = 4
neuron = dict(type='ILIF', max_value=4)
load = dict(_base_.load, num_bins=num_bins)
pipeline = [load, *_base_.pipeline[1:]]
train_dataloader = dict(dataset=dict(pipeline=pipeline))
val_dataloader = dict(dataset=dict(pipeline=pipeline))
test_dataloader = dict(dataset=dict(pipeline=pipeline))

model = dict(
    data_preprocessor=dict(channels=2 * num_bins),
    backbone=dict(family='PA-A-S', neuron=neuron, in_channels=2 * num_bins),
    neck=dict(
        _delete_=True,
        type='mmsnn.SpikingFPN',
        in_channels=_base_.in_channels,
        out_channels=64,
        add_extra_convs='on_output',
        num_outs=5,
        num_steps=1,
        neuron=neuron,
        norm_cfg=dict(type='BN'),
    ),
    bbox_head=dict(type='mmsnn.SpikingRetinaHead', num_steps=1, neuron=neuron),
)
