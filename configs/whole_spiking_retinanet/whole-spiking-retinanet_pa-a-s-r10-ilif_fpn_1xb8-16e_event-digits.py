# The detector that spikes throughout (I-LIF, D = 4, T = 1) on event recordings: one
# frame of four bins.
_base_ = [
    '../_base_/models/retinanet_r18_fpn_digits.py',
    '../_base_/datasets/event_digits_detection.py',
    '../_base_/schedules/adamw_16e.py',
    '../_base_/digits_runtime.py',
]

num_steps = 1
num_bins = 4
neuron = dict(type='ILIF', max_value=4)
load = dict(_base_.load, num_steps=num_steps, num_bins=num_bins)
pipeline = [load, *_base_.pipeline[1:]]
train_dataloader = dict(dataset=dict(pipeline=pipeline))
val_dataloader = dict(dataset=dict(pipeline=pipeline))
test_dataloader = dict(dataset=dict(pipeline=pipeline))

model = dict(
    data_preprocessor=dict(
        _delete_=True,
        type='mmsnn.EventDetDataPreprocessor',
        num_steps=num_steps,
        channels=2 * num_bins,
        pad_size_divisor=32,
    ),
    backbone=dict(
        _delete_=True,
        type='mmsnn.ResNetSNN',
        depth=10,
        family='PA-A-S',
        base_channels=32,
        in_channels=2 * num_bins,
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
