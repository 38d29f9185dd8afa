# The digits enlarged, to pretrain the backbone of the detector for the bundled
# detection set, whose stem reduces the resolution to a quarter:
# configs/spiking_retinanet/spiking-retinanet_sg-r10-asd-pre_fpn_1xb8-8e_digits.py
_base_ = './sg-r10-asd_1xb64-30e_digits.py'

model = dict(backbone=dict(stem='imagenet'))

enlarge = dict(type='Resize', scale=64)
train_dataloader = dict(
    dataset=dict(
        pipeline=[
            enlarge,
            dict(type='RandomCrop', crop_size=64, padding=8),
            dict(type='PackInputs'),
        ]
    )
)
val_dataloader = dict(dataset=dict(pipeline=[enlarge, dict(type='PackInputs')]))
test_dataloader = val_dataloader
