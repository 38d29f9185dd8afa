# Trained for 16 epochs, like its twin in ../retinanet.
_base_ = './whole-spiking-retinanet_pa-a-s-r10-ilif_fpn_1xb8-8e_digits.py'

max_epochs = 16
train_cfg = dict(max_epochs=max_epochs)
param_scheduler = [
    _base_.param_scheduler[0],
    dict(_base_.param_scheduler[1], end=max_epochs, T_max=max_epochs),
]
