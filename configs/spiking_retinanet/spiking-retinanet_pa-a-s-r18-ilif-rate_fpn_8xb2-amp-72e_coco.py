_base_ = './spiking-retinanet_sg-r18-asd_fpn_8xb2-amp-72e_coco.py'

# integer neurons instead of four time steps
num_steps = 1

model = dict(
    backbone=dict(
        type='mmsnn.ResNetSNN',
        family='PA-A-S',
        neuron=dict(type='ILIF', max_value=4),
        num_steps=num_steps,
    ),
    neck=[
        dict(_base_.model.neck[0], decoder=dict(type='Rate'), num_steps=num_steps),
        _base_.model.neck[1],
    ],
)
