# Binary spikes: IF neurons over T = 4 time steps, and SG ResNet10.
_base_ = './whole-spiking-retinanet_pa-a-s-r10-ilif_fpn_1xb8-8e_digits.py'

num_steps = 4
neuron = dict(_delete_=True, type='IF')

model = dict(
    backbone=dict(family='SG-BSG', num_steps=num_steps, neuron=neuron),
    neck=dict(num_steps=num_steps, neuron=neuron),
    bbox_head=dict(num_steps=num_steps, neuron=neuron),
)
