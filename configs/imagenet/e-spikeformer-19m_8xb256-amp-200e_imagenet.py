# E-SpikeFormer: integer neurons, one time step. Batch, learning rate and warm-up are
# those of Train_Base.md in the authors' code.
_base_ = [
    '../_base_/models/spiking_r18_imagenet.py',
    '../_base_/datasets/imagenet_randaugment.py',
    '../_base_/schedules/imagenet-lamb-amp-cosine_200e.py',
    '../_base_/classification_runtime.py',
]

num_steps = 1
warmup_epochs = 5
max_epochs = 200

model = dict(
    backbone=dict(
        _delete_=True, type='mmsnn.ESpikeFormer', channels='19M', num_steps=num_steps
    ),
    neck=[
        dict(_base_.model.neck[0], in_channels=[360], num_steps=num_steps),
        _base_.model.neck[1],
    ],
    head=dict(
        in_channels=360,
        loss=dict(_delete_=True, type='LabelSmoothLoss', label_smooth_val=0.1),
    ),
)

train_dataloader = dict(batch_size=256)
param_scheduler = [
    dict(_base_.param_scheduler[0], end=warmup_epochs),
    dict(
        _base_.param_scheduler[1],
        begin=warmup_epochs,
        T_max=max_epochs - warmup_epochs,
    ),
]
optim_wrapper = dict(optimizer=dict(lr=4.8e-3))
auto_scale_lr = dict(base_batch_size=2048)
