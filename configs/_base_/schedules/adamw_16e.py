# As adamw_8e.py, but with more epochs, for a smaller data set.
_base_ = 'adamw_8e.py'

max_epochs = 16
train_cfg = dict(max_epochs=max_epochs)
param_scheduler = [
    _base_.param_scheduler[0],
    dict(_base_.param_scheduler[1], end=max_epochs, T_max=max_epochs),
]
