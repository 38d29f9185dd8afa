# Rate decoding: with ASD, the 50 layers overfit (Zhang et al. 2023, Section 5.1.3).
_base_ = './sg-r18-asd_8xb32-amp-320e_imagenet.py'

model = dict(
    backbone=dict(depth=50),
    neck=[
        dict(_base_.model.neck[0], decoder=dict(type='Rate'), in_channels=[2048]),
        _base_.model.neck[1],
    ],
    head=dict(in_channels=2048),
)
