_base_ = './spiking-retinanet_sg-r18-asd_fpn_8xb2-amp-72e_coco.py'

# real numbers pass between blocks, but each convolution after the stem receives spikes
model = dict(backbone=dict(type='mmsnn.EMSResNet'))
