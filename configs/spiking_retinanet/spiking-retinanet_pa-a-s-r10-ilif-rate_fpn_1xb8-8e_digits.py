# A spiking backbone of integer neurons at T = 1; FPN and head do not spike.
_base_ = '../retinanet/retinanet_r10_fpn_1xb8-8e_digits.py'

model = dict(backbone=dict(family='PA-A-S', neuron=dict(_delete_=True, type='ILIF')))
