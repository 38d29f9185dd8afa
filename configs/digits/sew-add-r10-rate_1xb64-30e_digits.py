_base_ = './sg-r10-asd_1xb64-30e_digits.py'

model = dict(
    backbone=dict(type='mmsnn.SEWResNet', connect='ADD'),
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
