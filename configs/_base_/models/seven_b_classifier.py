# 7B-Net of the SEW paper (Fang et al. 2021) with SEW ADD blocks as a classifier: firing
# rates of the last stage, 1x1 for images of 128x128 pixels, and one linear layer
# (Sections 4.2 and A.1).
num_steps = 16
channels = 32

model = dict(
    _scope_='mmpretrain',
    type='ImageClassifier',
    backbone=dict(
        type='mmsnn.SevenBNet',
        family='SEW-ADD',
        num_steps=num_steps,
        # PyTorch's default, as in the authors' code: the effect of a learning rate on
        # weights before a norm depends on their magnitude.
        init_cfg=dict(
            type='Kaiming',
            layer='Conv2d',
            a=5**0.5,
            mode='fan_in',
            nonlinearity='leaky_relu',
            distribution='uniform',
        ),
    ),
    neck=[
        dict(
            type='mmsnn.SpikeDecoder',
            decoder=dict(type='Rate'),
            in_channels=[channels],
            num_steps=num_steps,
        ),
        dict(type='GlobalAveragePooling'),
    ],
    head=dict(
        type='LinearClsHead',
        in_channels=channels,
        loss=dict(type='CrossEntropyLoss'),
        topk=(1, 5),
        # PyTorch's default, too
        init_cfg=None,
    ),
)
