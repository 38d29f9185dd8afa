_base_ = './danet-a-r18-t1_8xb32-amp-120e_imagenet.py'

model = dict(backbone=dict(variant='C', depth=34))
