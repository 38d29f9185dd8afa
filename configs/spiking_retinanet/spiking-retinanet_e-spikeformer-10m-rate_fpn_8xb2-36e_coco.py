# RetinaNet with E-SpikeFormer, initialised with its authors' ImageNet weights.
_base_ = './spiking-retinanet_meta-spikeformer-15m-rate_fpn_8xb2-36e_coco.py'

in_channels = [96, 192, 240]

model = dict(
    backbone=dict(
        type='mmsnn.ESpikeFormer',
        channels='10M',
        init_cfg=dict(
            _delete_=True,
            type='mmsnn.PretrainedSpikeFormer',
            checkpoint='checkpoints/e-spikeformer-10m.pth',
        ),
    ),
    neck=[
        dict(_base_.model.neck[0], in_channels=in_channels),
        dict(_base_.model.neck[1], in_channels=in_channels),
    ],
)
