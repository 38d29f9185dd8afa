# Fig. 10: without random temporal delete, training uses all frames.
_base_ = './sew-add-7b_1xb16-amp-192e_dvs128-gesture.py'

model = dict(backbone=dict(family='Spiking'))

train_dataloader = dict(dataset=dict(pipeline=_base_.test_pipeline))
custom_hooks = []

optim_wrapper = dict(optimizer=dict(lr=0.1))
