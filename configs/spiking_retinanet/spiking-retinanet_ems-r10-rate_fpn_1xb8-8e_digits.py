_base_ = './spiking-retinanet_sg-r10-asd_fpn_1xb8-8e_digits.py'

model = dict(
    backbone=dict(type='mmsnn.EMSResNet'),
    neck=[
        dict(_base_.model.neck[0], decoder=dict(type='Rate')),
        _base_.model.neck[1],
    ],
)
