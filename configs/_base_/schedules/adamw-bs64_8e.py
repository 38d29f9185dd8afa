# As adamw-bs64_30e.py, but with fewer epochs, for larger data sets.
_base_ = 'adamw-bs64_30e.py'

max_epochs = 8
train_cfg = dict(max_epochs=max_epochs)
param_scheduler = [
    dict(_base_.param_scheduler[0], end=200),
    dict(_base_.param_scheduler[1], end=max_epochs, T_max=max_epochs),
]
