_base_ = './spiking-retinanet_sg-r18-asd_fpn_8xb2-amp-72e_coco.py'

# the residual connection of ANNs
model = dict(backbone=dict(type='mmsnn.SpikingResNet'))
