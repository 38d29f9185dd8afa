# The backbone is initialised with that of a classifier trained with
# configs/digits/sg-r10-asd_1xb64-30e_digits-64px.py.
_base_ = './spiking-retinanet_sg-r10-asd_fpn_1xb8-8e_digits.py'

model = dict(
    backbone=dict(
        init_cfg=dict(
            type='Pretrained',
            checkpoint='work_dirs/sg-r10-asd_1xb64-30e_digits-64px/epoch_30.pth',
            prefix='backbone.',
        )
    )
)
