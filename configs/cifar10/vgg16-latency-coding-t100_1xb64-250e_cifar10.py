# Table 3: temporal coding (time to first spike), VGG16.
_base_ = './gac-ms-r18-t6_1xb64-250e_cifar10.py'

num_steps = 100
model = dict(
    backbone=dict(
        _delete_=True,
        type='mmsnn.VGGSNN',
        depth=16,
        num_steps=num_steps,
        stem=dict(
            type='LatencyStem',
            kernel_size=3,
            stride=1,
            pool=False,
            mean=_base_.model.data_preprocessor.mean,
            std=_base_.model.data_preprocessor.std,
        ),
        neuron=_base_.model.backbone.neuron,
        init_cfg=_base_.model.backbone.init_cfg,
    ),
    neck=[dict(_base_.model.neck[0], num_steps=num_steps), _base_.model.neck[1]],
    head=dict(type='StackedLinearClsHead', mid_channels=[4096, 4096]),
)
