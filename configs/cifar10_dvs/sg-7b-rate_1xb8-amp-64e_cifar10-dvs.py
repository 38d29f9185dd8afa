# 7B SG ResNet: Tables 2 and 3 and Section 5.1.4 of Zhang et al. 2023. Interpreted as
# 7B-Net with 32 channels and rate decoding; README.md gives the reasons.
_base_ = [
    '../_base_/models/seven_b_classifier.py',
    '../_base_/datasets/cifar10_dvs.py',
    '../_base_/schedules/sgd-amp-cosine-bs16_64e.py',
    '../_base_/classification_runtime.py',
]

model = dict(
    data_preprocessor=dict(num_classes=10),
    backbone=dict(family='SG-BSG'),
    head=dict(num_classes=10),
)

# "For each training sample, we randomly deleted four slices": T = 16, training uses 12.
train_pipeline = [
    dict(type='mmsnn.LoadEventFrames', num_steps=16),
    dict(type='mmsnn.RandomTemporalDelete', num_keep=12),
    _base_.pack_inputs,
]
custom_hooks = [dict(type='mmsnn.TrainStepsHook', train_steps=12)]

train_dataloader = dict(batch_size=8, dataset=dict(pipeline=train_pipeline))

auto_scale_lr = dict(base_batch_size=8)
