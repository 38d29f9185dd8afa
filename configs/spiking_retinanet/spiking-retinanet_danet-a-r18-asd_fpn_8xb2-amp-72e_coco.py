_base_ = './spiking-retinanet_sg-r18-asd_fpn_8xb2-amp-72e_coco.py'

# real numbers travel between blocks; neurons close each decoded stage
model = dict(backbone=dict(type='mmsnn.DANet', variant='A'))
