# Li et al., Section V-A and Figs. 5 to 7.
_base_ = [
    '../_base_/models/danet_r50_imagenet.py',
    '../_base_/datasets/imagenet_subset.py',
    '../_base_/schedules/imagenet-subset-sgd-amp-cosine_100e.py',
    '../_base_/classification_runtime.py',
]

subset = dict(num_classes=100)
model = dict(data_preprocessor=subset, head=subset)
train_dataloader = dict(dataset=subset)
val_dataloader = dict(dataset=subset)
test_dataloader = val_dataloader

train_cfg = dict(max_epochs=50)
param_scheduler = [
    _base_.param_scheduler[0],
    dict(_base_.param_scheduler[1], end=50, T_max=45),
]
