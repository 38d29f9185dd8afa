# Trained with a loss on accumulations above 60 million per image.
_base_ = './whole-spiking-retinanet_pa-a-s-r10-ilif_fpn_1xb8-8e_digits.py'

custom_hooks = [
    dict(
        type='EMAHook',
        ema_type='ExpMomentumEMA',
        momentum=0.002,
        update_buffers=True,
        priority=49,
    ),
    dict(type='mmsnn.SynapticOperationsLossHook', target=60e6, weight=0.1),
]
