_base_ = 'spiking-retinanet_sg-r10-asd_fpn_1xb8-8e_digits.py'

model = dict(
    neck=[
        dict(
            type='mmsnn.SpikeDecoder',
            decoder=dict(type='Rate'),
            in_channels=_base_.in_channels,
            num_steps=_base_.num_steps,
        ),
        _base_.model.neck[1],
    ]
)
