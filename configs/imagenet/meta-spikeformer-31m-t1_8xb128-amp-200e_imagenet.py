_base_ = './meta-spikeformer-15m-t1_8xb128-amp-200e_imagenet.py'

model = dict(
    backbone=dict(channels='31M'),
    neck=[dict(_base_.model.neck[0], in_channels=[480]), _base_.model.neck[1]],
    head=dict(in_channels=480),
)
