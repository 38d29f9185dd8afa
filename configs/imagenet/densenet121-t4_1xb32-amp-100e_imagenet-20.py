# Li et al., Table III: concatenation instead of addition.
_base_ = './danet-a-r50-t4_1xb32-amp-100e_imagenet-20.py'

model = dict(
    backbone=dict(
        _delete_=True,
        type='mmsnn.DenseNetSNN',
        depth=121,
        num_steps=4,
        neuron=_base_.model.backbone.neuron,
    ),
    neck=[dict(_base_.model.neck[0], in_channels=[1024]), _base_.model.neck[1]],
    head=dict(in_channels=1024),
)
