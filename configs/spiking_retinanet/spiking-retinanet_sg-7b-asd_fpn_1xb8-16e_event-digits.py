# 7B SG ResNet, a network for event data of 0.13 M parameters; its stages 2 to 5 have
# strides 4 to 32.
_base_ = './spiking-retinanet_sg-r10-asd_fpn_1xb8-16e_event-digits.py'

in_channels = [32, 32, 32, 32]

model = dict(
    backbone=dict(
        _delete_=True,
        type='mmsnn.SevenBNet',
        family='SG-BSG',
        in_channels=2 * _base_.num_bins,
        num_steps=_base_.num_steps,
        out_indices=(1, 2, 3, 4),
    ),
    neck=[
        dict(_base_.model.neck[0], in_channels=in_channels),
        dict(_base_.model.neck[1], in_channels=in_channels),
    ],
)
