# Li et al., Section V-A and Fig. 6 (d): the ablation study, with one time step.
_base_ = [
    '../_base_/models/danet_r50_imagenet.py',
    '../_base_/datasets/imagenet_autoaugment.py',
    '../_base_/schedules/imagenet-sgd-amp-step_50e.py',
    '../_base_/classification_runtime.py',
]

model = dict(
    backbone=dict(num_steps=1, norm_cfg=dict(type='SyncBN')),
    neck=[dict(_base_.model.neck[0], num_steps=1), _base_.model.neck[1]],
)
