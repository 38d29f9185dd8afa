_base_ = './sg-r10-asd_1xb64-8e_fashion-mnist.py'

model = dict(
    backbone=dict(type='mmsnn.DANet', variant='A'),
    neck=[
        dict(
            type='mmsnn.SpikeDecoder',
            decoder=dict(type='Rate'),
            in_channels=[_base_.channels],
            num_steps=_base_.num_steps,
        ),
        dict(type='GlobalAveragePooling'),
    ],
)
