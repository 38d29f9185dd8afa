# The ImageNet classifier with which Li et al. compare connections (Section V-A): IF
# neurons, the surrogate of Eq. 2 with alpha = 4, and label smoothing. The paper does
# not give the smoothing, here 0.1. Configs replace the family by the others:
#   Spiking (their Origin), tdBN, BAA, SEW-ADD, DANet-A, DANet-B, DANet-C, DANet-D
model = dict(
    _scope_='mmpretrain',
    type='ImageClassifier',
    data_preprocessor=dict(
        num_classes=1000,
        mean=[123.675, 116.28, 103.53],
        std=[58.395, 57.12, 57.375],
        to_rgb=True,
    ),
    backbone=dict(
        type='mmsnn.ResNetSNN',
        family='DANet-A',
        depth=50,
        num_steps=4,
        neuron=dict(type='IF', surrogate=dict(type='Sigmoid', alpha=4.0)),
    ),
    neck=[
        dict(
            type='mmsnn.SpikeDecoder',
            decoder=dict(type='Rate'),
            in_channels=[2048],
            num_steps=4,
        ),
        dict(type='GlobalAveragePooling'),
    ],
    head=dict(
        type='LinearClsHead',
        num_classes=1000,
        in_channels=2048,
        loss=dict(type='LabelSmoothLoss', label_smooth_val=0.1),
        topk=(1, 5),
    ),
)
