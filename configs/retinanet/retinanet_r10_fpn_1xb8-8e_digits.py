# The twin without spikes of the spiking RetinaNets for the bundled digits detection
# set: ResNet10 of half width with a 5x5 stem, the same FPN, head and schedule.
_base_ = [
    '../_base_/models/retinanet_r18_fpn_digits.py',
    '../_base_/datasets/digits_detection.py',
    '../_base_/schedules/adamw_8e.py',
    '../_base_/digits_runtime.py',
]

in_channels = [32, 64, 128, 256]

model = dict(
    backbone=dict(
        _delete_=True,
        type='mmsnn.ResNetSNN',
        depth=10,
        # with ReLUs it is an ordinary ResNet
        family='Spiking',
        neuron=dict(type='mmsnn.ReLU'),
        num_steps=1,
        base_channels=32,
        stem=dict(type='DirectStem', kernel_size=5, stride=2, pool=True),
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
