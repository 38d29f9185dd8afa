# CIFAR-10 as published, in data/cifar10/cifar-10-batches-py/. Missing files are
# downloaded.
_base_ = 'classification.py'

# Mean and standard deviation of all pixels of the training images. (The values near 51
# that are often used are averages of the standard deviations of single images.) Images
# are loaded as RGB.
data_preprocessor = dict(
    num_classes=10,
    mean=[125.307, 122.950, 113.865],
    std=[62.993, 62.089, 66.705],
)

train_pipeline = [
    dict(type='RandomCrop', crop_size=32, padding=4),
    dict(type='RandomFlip', prob=0.5, direction='horizontal'),
    dict(type='PackInputs'),
]
test_pipeline = [dict(type='PackInputs')]

dataset = dict(type='CIFAR10', data_root='data/cifar10/')
train_dataloader = dict(dataset=dict(split='train', pipeline=train_pipeline, **dataset))
val_dataloader = dict(
    dataset=dict(split='test', test_mode=True, pipeline=test_pipeline, **dataset)
)
test_dataloader = val_dataloader
