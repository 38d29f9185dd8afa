# A spiking ResNet18 with rate decoding as ImageNet classifier; configs set the family.
# With bottlenecks, the neck has 2048 channels; another number of time steps must be set
# in the neck, too. An inheriting config can change an item of the list:
#   _base_.model.neck[0].in_channels = [2048]
model = dict(
    _scope_='mmpretrain',
    type='ImageClassifier',
    data_preprocessor=dict(
        num_classes=1000,
        mean=[123.675, 116.28, 103.53],
        std=[58.395, 57.12, 57.375],
        to_rgb=True,
    ),
    backbone=dict(type='mmsnn.SpikingResNet', depth=18, num_steps=4),
    neck=[
        dict(
            type='mmsnn.SpikeDecoder',
            decoder=dict(type='Rate'),
            in_channels=[512],
            num_steps=4,
        ),
        dict(type='GlobalAveragePooling'),
    ],
    head=dict(
        type='LinearClsHead',
        num_classes=1000,
        in_channels=512,
        loss=dict(type='CrossEntropyLoss'),
        topk=(1, 5),
    ),
)
