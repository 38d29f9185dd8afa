# Li et al., Section V-A: the second of two phases, with four time steps, starting from
# the checkpoint of the first. To start from another file:
#   --cfg-options model.init_cfg.checkpoint=FILE
_base_ = [
    '../_base_/models/spiking_r18_imagenet.py',
    '../_base_/datasets/imagenet_autoaugment.py',
    '../_base_/schedules/imagenet-sgd-amp-step_45e.py',
    '../_base_/classification_runtime.py',
]

model = dict(
    backbone=dict(
        type='mmsnn.DANet',
        variant='A',
        neuron=dict(type='IF', surrogate=dict(type='Sigmoid', alpha=4.0)),
        norm_cfg=dict(type='SyncBN'),
    ),
    head=dict(loss=dict(type='LabelSmoothLoss', label_smooth_val=0.1)),
    init_cfg=dict(
        type='mmsnn.PretrainedSteps',
        checkpoint='work_dirs/danet-a-r18-t1_8xb32-amp-120e_imagenet/epoch_120.pth',
    ),
)
