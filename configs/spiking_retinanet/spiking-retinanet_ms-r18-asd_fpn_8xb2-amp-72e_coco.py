_base_ = './spiking-retinanet_sg-r18-asd_fpn_8xb2-amp-72e_coco.py'

# like DANet-A, with its authors' stem, strides and norms; starts as the identity
model = dict(backbone=dict(type='mmsnn.MSResNet'))
