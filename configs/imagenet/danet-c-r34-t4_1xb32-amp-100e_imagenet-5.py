_base_ = './danet-a-r50-t4_1xb32-amp-100e_imagenet-5.py'

model = dict(
    backbone=dict(family='DANet-C', depth=34),
    neck=[dict(_base_.model.neck[0], in_channels=[512]), _base_.model.neck[1]],
    head=dict(in_channels=512),
)
