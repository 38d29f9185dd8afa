# Li et al., Section V-A: four time steps, starting from a network trained with one.
_base_ = 'imagenet-sgd-amp-step_50e.py'

max_epochs = 45
train_cfg = dict(max_epochs=max_epochs)
param_scheduler = [
    dict(_base_.param_scheduler[0], end=10),
    dict(_base_.param_scheduler[1], end=max_epochs, milestones=[30, 40]),
]
optim_wrapper = dict(optimizer=dict(lr=0.02, weight_decay=1e-5))
