# Li et al., Section V-A: one time step, for the comparison with other networks.
_base_ = 'imagenet-sgd-amp-step_50e.py'

max_epochs = 120
train_cfg = dict(max_epochs=max_epochs)
param_scheduler = [
    dict(_base_.param_scheduler[0], end=15),
    dict(_base_.param_scheduler[1], end=max_epochs, milestones=[60, 105, 115]),
]
