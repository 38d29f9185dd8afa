# Qiu et al., supplement B, Tables 4 and 5. The paper does not define its "standard
# augmentation" or the label smoothing: crops and AutoAugment without flips, smoothing
# by 0.1 and SyncBN are those of the authors' code. The decay factor 1 - 1 / tau is
# 0.25.
_base_ = [
    '../_base_/models/spiking_r18_imagenet.py',
    '../_base_/datasets/imagenet.py',
    '../_base_/schedules/imagenet-sgd-amp-cosine_250e.py',
    '../_base_/classification_runtime.py',
]

model = dict(
    backbone=dict(
        type='mmsnn.MSResNet',
        stem='gac',
        neuron=dict(
            type='LIF',
            tau=4 / 3,
            v_threshold=0.5,
            decay_input=False,
            detach_reset=True,
            surrogate=dict(type='Rectangular'),
        ),
        norm_cfg=dict(type='SyncBN'),
    ),
    head=dict(loss=dict(type='LabelSmoothLoss', label_smooth_val=0.1)),
)

train_pipeline = [
    dict(type='LoadImageFromFile'),
    dict(type='RandomResizedCrop', scale=224),
    dict(type='AutoAugment', policies='imagenet'),
    dict(type='PackInputs'),
]
train_dataloader = dict(dataset=dict(pipeline=train_pipeline))
