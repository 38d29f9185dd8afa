_base_ = './danet-a-r50-t4_1xb32-amp-100e_imagenet-20.py'

model = dict(backbone=dict(family='Spiking'))
