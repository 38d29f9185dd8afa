# Fang et al. 2021, Section 4.1 and Appendix A.1: IF neurons, the ATan surrogate, and a
# reset that is detached from the gradient.
_base_ = [
    '../_base_/models/spiking_r18_imagenet.py',
    '../_base_/datasets/imagenet.py',
    '../_base_/schedules/imagenet-sgd-amp-cosine_320e.py',
    '../_base_/classification_runtime.py',
]

model = dict(
    backbone=dict(
        type='mmsnn.SEWResNet',
        connect='ADD',
        neuron=dict(type='IF', detach_reset=True),
    )
)
