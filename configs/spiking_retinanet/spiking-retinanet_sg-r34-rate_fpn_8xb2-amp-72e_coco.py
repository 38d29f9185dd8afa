_base_ = './spiking-retinanet_sg-r18-rate_fpn_8xb2-amp-72e_coco.py'

model = dict(backbone=dict(depth=34))
