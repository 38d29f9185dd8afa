# SEW ADD as it was trained to be compared with DANet.
_base_ = './danet-a-r50-t1_8xb32-amp-50e_imagenet.py'

model = dict(
    backbone=dict(
        _delete_=True,
        type='mmsnn.SEWResNet',
        connect='ADD',
        depth=50,
        num_steps=1,
        neuron=_base_.model.backbone.neuron,
        norm_cfg=_base_.model.backbone.norm_cfg,
    )
)
