# ImageNet-1k in its usual layout, one folder per class:
#   data/imagenet/train/n01440764/*.JPEG, ..., data/imagenet/val/n01440764/*.JPEG, ...
# Validation images may also be in one flat folder, with data/imagenet/meta/val.txt.
_base_ = 'classification.py'

train_pipeline = [
    dict(type='LoadImageFromFile'),
    dict(type='RandomResizedCrop', scale=224),
    dict(type='RandomFlip', prob=0.5, direction='horizontal'),
    dict(type='PackInputs'),
]
test_pipeline = [
    dict(type='LoadImageFromFile'),
    dict(type='ResizeEdge', scale=256, edge='short'),
    dict(type='CenterCrop', crop_size=224),
    dict(type='PackInputs'),
]

dataset = dict(type='ImageNet', data_root='data/imagenet/')
train_dataloader = dict(
    num_workers=4, dataset=dict(split='train', pipeline=train_pipeline, **dataset)
)
val_dataloader = dict(
    num_workers=4,
    drop_last=False,
    dataset=dict(split='val', pipeline=test_pipeline, **dataset),
)
test_dataloader = val_dataloader
