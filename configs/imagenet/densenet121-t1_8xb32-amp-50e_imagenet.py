# Li et al., Table III: concatenation instead of addition.
_base_ = './danet-a-r50-t1_8xb32-amp-50e_imagenet.py'

model = dict(
    backbone=dict(
        _delete_=True,
        type='mmsnn.DenseNetSNN',
        depth=121,
        num_steps=1,
        neuron=_base_.model.backbone.neuron,
        norm_cfg=_base_.model.backbone.norm_cfg,
    ),
    neck=[dict(_base_.model.neck[0], in_channels=[1024]), _base_.model.neck[1]],
    head=dict(in_channels=1024),
)
