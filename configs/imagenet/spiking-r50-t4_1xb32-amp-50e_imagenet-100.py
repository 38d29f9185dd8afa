_base_ = './danet-a-r50-t4_1xb32-amp-50e_imagenet-100.py'

model = dict(backbone=dict(family='Spiking'))
