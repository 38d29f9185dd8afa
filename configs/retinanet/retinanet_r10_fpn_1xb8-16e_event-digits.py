# The baseline without spikes on event recordings: an ordinary ResNet10 on one frame of
# all events of the window.
_base_ = [
    '../_base_/models/retinanet_r18_fpn_digits.py',
    '../_base_/datasets/event_digits_detection.py',
    '../_base_/schedules/adamw_16e.py',
    '../_base_/digits_runtime.py',
]

in_channels = [32, 64, 128, 256]
pipeline = [dict(_base_.load, num_steps=1, num_bins=1), *_base_.pipeline[1:]]
train_dataloader = dict(dataset=dict(pipeline=pipeline))
val_dataloader = dict(dataset=dict(pipeline=pipeline))
test_dataloader = dict(dataset=dict(pipeline=pipeline))

model = dict(
    data_preprocessor=dict(
        _delete_=True,
        type='mmsnn.EventDetDataPreprocessor',
        num_steps=1,
        channels=2,
        pad_size_divisor=32,
    ),
    backbone=dict(
        _delete_=True,
        type='mmsnn.ResNetSNN',
        depth=10,
        # with ReLUs it is an ordinary ResNet
        family='Spiking',
        neuron=dict(type='mmsnn.ReLU'),
        num_steps=1,
        base_channels=32,
        in_channels=2,
        out_indices=(0, 1, 2, 3),
    ),
    neck=[
        dict(
            type='mmsnn.SpikeDecoder',
            decoder=dict(type='Rate'),
            in_channels=in_channels,
            num_steps=1,
        ),
        dict(
            type='FPN',
            in_channels=in_channels,
            out_channels=64,
            add_extra_convs='on_output',
            num_outs=5,
            norm_cfg=dict(type='BN'),
        ),
    ],
)
