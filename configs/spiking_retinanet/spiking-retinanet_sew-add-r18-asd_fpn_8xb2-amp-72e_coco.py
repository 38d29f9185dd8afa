_base_ = './spiking-retinanet_sg-r18-asd_fpn_8xb2-amp-72e_coco.py'

# integers pass between blocks and to the decoders
model = dict(backbone=dict(type='mmsnn.SEWResNet', connect='ADD'))
