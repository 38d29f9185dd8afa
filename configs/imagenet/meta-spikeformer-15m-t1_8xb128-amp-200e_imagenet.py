# Meta-SpikeFormer with one time step, the first phase of its authors' training.
_base_ = [
    '../_base_/models/spiking_r18_imagenet.py',
    '../_base_/datasets/imagenet_randaugment.py',
    '../_base_/schedules/imagenet-lamb-amp-cosine_200e.py',
    '../_base_/classification_runtime.py',
]

num_steps = 1

model = dict(
    backbone=dict(
        _delete_=True,
        type='mmsnn.MetaSpikeFormer',
        channels='15M',
        num_steps=num_steps,
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
