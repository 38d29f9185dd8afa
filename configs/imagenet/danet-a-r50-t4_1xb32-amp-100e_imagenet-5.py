# Li et al., Section V-A and Figs. 5 to 7.
_base_ = [
    '../_base_/models/spiking_r18_imagenet.py',
    '../_base_/datasets/imagenet_subset.py',
    '../_base_/schedules/imagenet-subset-sgd-amp-cosine_100e.py',
    '../_base_/classification_runtime.py',
]

model = dict(
    backbone=dict(
        type='mmsnn.DANet',
        variant='A',
        depth=50,
        neuron=dict(type='IF', surrogate=dict(type='Sigmoid', alpha=4.0)),
    ),
    data_preprocessor=dict(num_classes=5),
    neck=[dict(_base_.model.neck[0], in_channels=[2048]), _base_.model.neck[1]],
    head=dict(
        num_classes=5,
        in_channels=2048,
        loss=dict(type='LabelSmoothLoss', label_smooth_val=0.1),
    ),
)
