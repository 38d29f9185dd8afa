# MS-ResNet18 for small images after gated attention coding, trained with CutMix (Qiu et
# al.). The mean of the logits over time equals the logits of the mean over time.
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
        # Table 4: threshold 0.5, decay 1 - 1 / tau = 0.25, a surrogate of width 1
        neuron=dict(
            type='LIF',
            tau=4 / 3,
            v_threshold=0.5,
            decay_input=False,
            detach_reset=True,
            surrogate=dict(type='Rectangular'),
        ),
        # PyTorch's default, as in the authors' code for CIFAR
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
        # PyTorch's default, too
        init_cfg=None,
    ),
    # The paper gives neither number; both are from the authors' code, which decides
    # once per epoch whether to mix, not once per batch.
    train_cfg=dict(augments=dict(type='CutMix', alpha=1.0), probs=0.5),
)
