# MS-ResNet18 for small images behind gated attention coding, and the training's CutMix
# (Qiu et al.). The mean of the logits over time is the head's logits of the mean.
num_steps = 6
channels = 512

model = dict(
    _scope_='mmpretrain',
    type='ImageClassifier',
    backbone=dict(
        type='mmsnn.MSResNet',
        depth=18,
        layout='cifar',
        stem='gac-cifar',
        num_steps=num_steps,
        # Table 4: threshold 0.5, decay 1 - 1 / tau = 0.25, a surrogate 1 wide
        neuron=dict(
            type='LIF',
            tau=4 / 3,
            v_threshold=0.5,
            decay_input=False,
            detach_reset=True,
            surrogate=dict(type='Rectangular'),
        ),
        # PyTorch's own, as in the authors' code for CIFAR
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
        num_classes=100,
        in_channels=channels,
        loss=dict(type='CrossEntropyLoss'),
        topk=(1, 5),
        # PyTorch's own, too
        init_cfg=None,
    ),
    # The paper gives neither number. They are those of its authors' code, which draws
    # once per epoch whether to mix, not once per batch.
    train_cfg=dict(augments=dict(type='CutMix', alpha=1.0), probs=0.5),
)
