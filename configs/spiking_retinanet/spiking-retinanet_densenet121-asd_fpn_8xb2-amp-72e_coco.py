_base_ = './spiking-retinanet_sg-r18-asd_fpn_8xb2-amp-72e_coco.py'

num_steps = 4
in_channels = [512, 1024, 1024]

model = dict(
    backbone=dict(type='mmsnn.DenseNetSNN', depth=121),
    neck=[
        dict(
            type='mmsnn.SpikeDecoder',
            decoder=dict(type='ASD'),
            in_channels=in_channels,
            num_steps=num_steps,
        ),
        dict(
            type='FPN',
            in_channels=in_channels,
            out_channels=256,
            add_extra_convs='on_input',
            num_outs=5,
        ),
    ],
)
