# Li et al., Section V-A and Fig. 6: the ablation study, with one time step.
_base_ = [
    '../_base_/models/spiking_r18_imagenet.py',
    '../_base_/datasets/imagenet_autoaugment.py',
    '../_base_/schedules/imagenet-sgd-amp-step_50e.py',
    '../_base_/classification_runtime.py',
]

model = dict(
    backbone=dict(
        type='mmsnn.DANet',
        variant='A',
        depth=50,
        num_steps=1,
        neuron=dict(type='IF', surrogate=dict(type='Sigmoid', alpha=4.0)),
        norm_cfg=dict(type='SyncBN'),
    ),
    neck=[
        dict(_base_.model.neck[0], in_channels=[2048], num_steps=1),
        _base_.model.neck[1],
    ],
    head=dict(
        in_channels=2048, loss=dict(type='LabelSmoothLoss', label_smooth_val=0.1)
    ),
)
