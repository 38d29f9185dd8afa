# CIFAR-100 as published, in data/cifar100/cifar-100-python/. Missing files are
# downloaded. Pipelines as for CIFAR-10.
_base_ = 'cifar10.py'

# Mean and standard deviation of all pixels of the training images. Images are loaded as
# RGB.
data_preprocessor = dict(
    num_classes=100,
    mean=[129.304, 124.070, 112.434],
    std=[68.170, 65.392, 70.418],
)

dataset = dict(type='CIFAR100', data_root='data/cifar100/')
train_dataloader = dict(dataset=dataset)
val_dataloader = dict(dataset=dataset)
test_dataloader = val_dataloader
