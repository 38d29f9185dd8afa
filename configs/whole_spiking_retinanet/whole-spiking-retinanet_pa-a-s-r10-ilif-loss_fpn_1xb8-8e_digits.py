# Trained with a loss on accumulations above 60 million per image.
_base_ = './whole-spiking-retinanet_pa-a-s-r10-ilif_fpn_1xb8-8e_digits.py'

custom_hooks = [
    _base_.custom_hooks[0],
    dict(type='mmsnn.SynapticOperationsLossHook', target=60e6, weight=0.1),
]
