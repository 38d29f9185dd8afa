_base_ = './danet-a-r50-t1_8xb32-amp-50e_imagenet.py'

model = dict(backbone=dict(depth=101))
