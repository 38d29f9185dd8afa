# SEW ADD Wide-7B-Net at T = 16: Tables 6 and 7 of the SEW paper (Fang et al. 2021).
_base_ = [
    '../_base_/models/seven_b_classifier.py',
    '../_base_/datasets/cifar10_dvs.py',
    '../_base_/schedules/sgd-amp-cosine-bs16_64e.py',
    '../_base_/classification_runtime.py',
]

channels = 128

model = dict(
    data_preprocessor=dict(num_classes=10),
    backbone=dict(wide=True),
    neck=[
        dict(
            type='mmsnn.SpikeDecoder',
            decoder=dict(type='Rate'),
            in_channels=[channels],
            num_steps=_base_.num_steps,
        ),
        dict(type='GlobalAveragePooling'),
    ],
    head=dict(num_classes=10, in_channels=channels),
)
