_base_ = './danet-a-r50-t4_1xb32-amp-100e_imagenet-5.py'

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
