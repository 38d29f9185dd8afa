# SEW ADD 7B-Net: Tables 4, 5, 7 and 8 of the SEW paper (Fang et al. 2021).
_base_ = [
    '../_base_/models/seven_b_classifier.py',
    '../_base_/datasets/dvs128_gesture.py',
    '../_base_/schedules/sgd-amp-step-bs16_192e.py',
    '../_base_/classification_runtime.py',
]

model = dict(data_preprocessor=dict(num_classes=11), head=dict(num_classes=11))

# Random temporal delete (A.2): T = 16, of which training uses 12.
train_pipeline = [
    dict(type='mmsnn.LoadEventFrames', num_steps=16),
    dict(type='mmsnn.RandomTemporalDelete', num_keep=12),
    _base_.pack_inputs,
]
custom_hooks = [dict(type='mmsnn.TrainStepsHook', train_steps=12)]

# The authors' code keeps the last batch, which has 8 samples.
train_dataloader = dict(drop_last=False, dataset=dict(pipeline=train_pipeline))

optim_wrapper = dict(optimizer=dict(lr=0.001))
