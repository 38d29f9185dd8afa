_base_ = './spiking-r18-rate_8xb32-amp-320e_imagenet.py'

model = dict(backbone=dict(depth=34))
