_base_ = './spiking-retinanet_sg-r18-asd_fpn_8xb2-amp-72e_coco.py'

# real numbers pass between blocks; neurons follow each decoded stage
model = dict(backbone=dict(type='mmsnn.DANet', variant='A'))
