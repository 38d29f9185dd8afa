_base_ = './sew-add-10b-atan_1xb16-amp-64e_cifar10.py'

model = dict(
    backbone=dict(family='Spiking', neuron=dict(surrogate=dict(type='Constant')))
)
