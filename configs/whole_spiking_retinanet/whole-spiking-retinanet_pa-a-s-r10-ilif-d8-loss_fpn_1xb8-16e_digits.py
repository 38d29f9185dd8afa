# Integers up to D = 8, and norms that start at 2, so that currents are rounded half as
# coarsely; a loss on accumulations above 100 million per image pays for it.
_base_ = './whole-spiking-retinanet_pa-a-s-r10-ilif_fpn_1xb8-8e_digits.py'

neuron = dict(type='ILIF', max_value=8)

model = dict(
    init_cfg=dict(type='Constant', layer=['_BatchNorm', 'GroupNorm'], val=2),
    backbone=dict(neuron=neuron),
    neck=dict(neuron=neuron),
    bbox_head=dict(neuron=neuron),
)

custom_hooks = [
    _base_.custom_hooks[0],
    dict(type='mmsnn.SynapticOperationsLossHook', target=100e6, weight=0.1),
]

max_epochs = 16
train_cfg = dict(max_epochs=max_epochs)
param_scheduler = [
    _base_.param_scheduler[0],
    dict(_base_.param_scheduler[1], end=max_epochs, T_max=max_epochs),
]
