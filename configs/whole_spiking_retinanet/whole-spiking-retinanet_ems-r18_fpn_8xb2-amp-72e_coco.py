# Binary spikes: LIF neurons over T = 4 time steps, and EMS-ResNet18.
_base_ = [
    './whole-spiking-retinanet_pa-a-s-r18-ilif_fpn_8xb2-amp-72e_coco.py',
    '../_base_/models/ems_neuron.py',
]

num_steps = 4
neuron = dict(_delete_=True, **_base_.ems_neuron)

model = dict(
    backbone=dict(
        _delete_=True,
        type='mmsnn.EMSResNet',
        depth=18,
        num_steps=num_steps,
        out_indices=(1, 2, 3),
        stem=_base_.model.backbone.stem,
        norm_cfg=_base_.model.backbone.norm_cfg,
    ),
    neck=dict(num_steps=num_steps, neuron=neuron),
    bbox_head=dict(num_steps=num_steps, neuron=neuron),
)
