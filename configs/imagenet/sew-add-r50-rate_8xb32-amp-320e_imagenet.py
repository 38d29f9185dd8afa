_base_ = './sew-add-r18-rate_8xb32-amp-320e_imagenet.py'

model = dict(
    backbone=dict(depth=50),
    neck=[dict(_base_.model.neck[0], in_channels=[2048]), _base_.model.neck[1]],
    head=dict(in_channels=2048),
)
