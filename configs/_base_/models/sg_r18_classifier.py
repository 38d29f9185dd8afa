# SG ResNet18 with the stem for small images (Zhang et al. 2023, Section 5.1.1), as a
# classifier: spikes are decoded over time, then averaged over the image, then
# classified. IF neurons with threshold 1 and the ATan surrogate (Section 5) are the
# backbone's defaults.
num_steps = 4
channels = 512

model = dict(
    _scope_='mmpretrain',
    type='ImageClassifier',
    backbone=dict(type='mmsnn.SGResNet', depth=18, num_steps=num_steps, stem='cifar'),
    neck=[
        dict(
            type='mmsnn.SpikeDecoder',
            decoder=dict(type='ASD'),
            in_channels=[channels],
            num_steps=num_steps,
        ),
        dict(type='GlobalAveragePooling'),
    ],
    head=dict(
        type='LinearClsHead',
        num_classes=100,
        in_channels=channels,
        loss=dict(type='CrossEntropyLoss'),
        topk=(1, 5),
    ),
)
