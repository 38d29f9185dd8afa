_base_ = './danet-a-r18-t4_8xb32-amp-45e_imagenet.py'

model = dict(
    backbone=dict(variant='C', depth=34),
    init_cfg=dict(
        checkpoint='work_dirs/danet-c-r34-t1_8xb32-amp-120e_imagenet/epoch_120.pth',
    ),
)
