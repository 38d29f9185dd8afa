_base_ = './spiking-mask-rcnn_e-spikeformer-19m-rate_fpn_2xb4-12e_coco.py'

in_channels = [48, 96, 192, 240]

model = dict(
    backbone=dict(
        channels='10M', init_cfg=dict(checkpoint='checkpoints/e-spikeformer-10m.pth')
    ),
    neck=[
        dict(_base_.model.neck[0], in_channels=in_channels),
        dict(_base_.model.neck[1], in_channels=in_channels),
    ],
)
