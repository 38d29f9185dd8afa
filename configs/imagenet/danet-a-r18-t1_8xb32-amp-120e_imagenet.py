# Li et al., Section V-A: the first of two phases, with one time step. IF neurons, and
# the surrogate of Eq. 2 with alpha = 4. The paper does not give the label smoothing,
# here 0.1.
_base_ = [
    '../_base_/models/spiking_r18_imagenet.py',
    '../_base_/datasets/imagenet_autoaugment.py',
    '../_base_/schedules/imagenet-sgd-amp-step_120e.py',
    '../_base_/classification_runtime.py',
]

model = dict(
    backbone=dict(
        type='mmsnn.DANet',
        variant='A',
        num_steps=1,
        neuron=dict(type='IF', surrogate=dict(type='Sigmoid', alpha=4.0)),
        norm_cfg=dict(type='SyncBN'),
    ),
    neck=[dict(_base_.model.neck[0], num_steps=1), _base_.model.neck[1]],
    head=dict(loss=dict(type='LabelSmoothLoss', label_smooth_val=0.1)),
)
