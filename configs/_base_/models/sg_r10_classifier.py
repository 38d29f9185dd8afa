# A narrow SG ResNet10 with the stem for small images, as a classifier of ten classes:
# spikes are decoded over time, then averaged over the image, then classified.
num_steps = 4
channels = 256

model = dict(
    _scope_='mmpretrain',
    type='ImageClassifier',
    data_preprocessor=dict(num_classes=10),
    backbone=dict(
        type='mmsnn.SGResNet',
        depth=10,
        base_channels=32,
        num_steps=num_steps,
        stem='cifar',
    ),
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
        num_classes=10,
        in_channels=channels,
        loss=dict(type='CrossEntropyLoss'),
        topk=(1, 5),
    ),
)
