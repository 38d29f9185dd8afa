_base_ = './danet-a-r18-t4_8xb32-amp-45e_imagenet.py'

model = dict(
    backbone=dict(depth=101),
    neck=[dict(_base_.model.neck[0], in_channels=[2048]), _base_.model.neck[1]],
    head=dict(in_channels=2048),
    init_cfg=dict(
        checkpoint='work_dirs/danet-a-r101-t1_8xb32-amp-120e_imagenet/epoch_120.pth',
    ),
)
