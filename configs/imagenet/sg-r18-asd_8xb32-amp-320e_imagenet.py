# Zhang et al. 2023, Tables 2 and 3, Section 5.1.3. IF neurons with threshold 1 and the
# ATan surrogate (Section 5) are the backbone's defaults.
_base_ = [
    '../_base_/models/spiking_r18_imagenet.py',
    '../_base_/datasets/imagenet.py',
    '../_base_/schedules/imagenet-sgd-amp-cosine_320e.py',
    '../_base_/classification_runtime.py',
]

model = dict(
    backbone=dict(type='mmsnn.SGResNet'),
    neck=[dict(_base_.model.neck[0], decoder=dict(type='ASD')), _base_.model.neck[1]],
)
