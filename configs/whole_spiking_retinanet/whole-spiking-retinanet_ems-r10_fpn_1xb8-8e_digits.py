# Binary spikes: LIF neurons over T = 4 time steps, and EMS-ResNet10.
_base_ = [
    './whole-spiking-retinanet_pa-a-s-r10-ilif_fpn_1xb8-8e_digits.py',
    '../_base_/models/ems_neuron.py',
]

num_steps = 4
neuron = dict(_delete_=True, **_base_.ems_neuron)

model = dict(
    backbone=dict(
        _delete_=True,
        type='mmsnn.EMSResNet',
        depth=10,
        base_channels=32,
        num_steps=num_steps,
        out_indices=(0, 1, 2, 3),
        stem=_base_.model.backbone.stem,
    ),
    neck=dict(num_steps=num_steps, neuron=neuron),
    bbox_head=dict(num_steps=num_steps, neuron=neuron),
)
