_base_ = './retinanet_r18_fpn_8xb2-amp-72e_coco.py'

model = dict(backbone=dict(depth=34))
