_base_ = './danet-a-r18-t1_8xb32-amp-120e_imagenet.py'

model = dict(
    backbone=dict(depth=152),
    neck=[dict(_base_.model.neck[0], in_channels=[2048]), _base_.model.neck[1]],
    head=dict(in_channels=2048),
)
