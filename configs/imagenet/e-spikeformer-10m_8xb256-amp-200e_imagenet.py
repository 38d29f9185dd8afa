_base_ = './e-spikeformer-19m_8xb256-amp-200e_imagenet.py'

model = dict(
    backbone=dict(channels='10M'),
    neck=[dict(_base_.model.neck[0], in_channels=[240]), _base_.model.neck[1]],
    head=dict(in_channels=240),
)
