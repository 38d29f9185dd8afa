_base_ = './spiking-retinanet_sg-r18-asd_fpn_8xb2-amp-72e_coco.py'

model = dict(
    neck=[dict(_base_.model.neck[0], decoder=dict(type='Rate')), _base_.model.neck[1]]
)
