# Fang et al. 2021, A.5 and Table 9: comparison of surrogates. The paper gives the
# network and the surrogates; README.md gives the sources of the other settings.
_base_ = [
    '../_base_/datasets/cifar10.py',
    '../_base_/schedules/sgd-amp-cosine-bs16_64e.py',
    '../_base_/classification_runtime.py',
]

num_steps = 4
channels = 32

model = dict(
    _scope_='mmpretrain',
    type='ImageClassifier',
    data_preprocessor=_base_.data_preprocessor,
    backbone=dict(
        type='mmsnn.PooledResNet',
        family='SEW-ADD',
        widths=(channels,) * 5,
        num_blocks=2,
        num_steps=num_steps,
        neuron=dict(type='IF', detach_reset=True, surrogate=dict(type='ATan')),
        # PyTorch's default, as in the authors' code of the other networks
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
        num_classes=10,
        in_channels=channels,
        loss=dict(type='CrossEntropyLoss'),
        topk=(1, 5),
        # PyTorch's default, too
        init_cfg=None,
    ),
)

train_dataloader = dict(batch_size=16)
