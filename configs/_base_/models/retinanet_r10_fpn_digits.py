# ResNet10 of half width without spikes, for small data sets.
_base_ = 'retinanet_r18_fpn_digits.py'

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
