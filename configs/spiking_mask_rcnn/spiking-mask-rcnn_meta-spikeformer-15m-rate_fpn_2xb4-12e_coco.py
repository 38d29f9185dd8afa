# Mask R-CNN with Meta-SpikeFormer and one time step, from its authors' ImageNet weights.
_base_ = './spiking-mask-rcnn_e-spikeformer-19m-rate_fpn_2xb4-12e_coco.py'

model = dict(
    backbone=dict(
        type='mmsnn.MetaSpikeFormer',
        channels='15M',
        init_cfg=dict(checkpoint='checkpoints/meta-spikeformer-15m.pth'),
    )
)
