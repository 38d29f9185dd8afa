# The baseline of Fang et al. 2021, whose blocks start as the identity (Section 4.1).
_base_ = [
    '../_base_/models/spiking_r18_imagenet.py',
    '../_base_/datasets/imagenet.py',
    '../_base_/schedules/imagenet-sgd-amp-cosine_320e.py',
    '../_base_/classification_runtime.py',
]

model = dict(
    backbone=dict(
        type='mmsnn.SpikingResNet',
        neuron=dict(type='IF', detach_reset=True),
        zero_init_residual=True,
    )
)
