_base_ = './sg-r18-asd_8xb32-amp-320e_imagenet.py'

model = dict(backbone=dict(depth=34))
