_base_ = './gac-ms-r18-t4_8xb32-amp-250e_imagenet.py'

model = dict(backbone=dict(depth=34))
