# Fashion-MNIST, grey images of 28x28 pixels. Files missing from data/fashion_mnist are
# downloaded; docs/classification.md describes the setup without network access.
_base_ = 'classification.py'

# No crops, because they lower the accuracy after few epochs.
train_pipeline = [
    dict(type='RandomFlip', prob=0.5, direction='horizontal'),
    dict(type='PackInputs'),
]
test_pipeline = [dict(type='PackInputs')]

# No workers: loading is cheap, and on a CPU a worker takes a core away from training.
loader = dict(batch_size=64, num_workers=0, persistent_workers=False)
dataset = dict(type='FashionMNIST', data_root='data/fashion_mnist/')
train_dataloader = dict(
    dataset=dict(split='train', pipeline=train_pipeline, **dataset), **loader
)
val_dataloader = dict(
    # MMPretrain reads the test files only with test_mode
    dataset=dict(split='test', test_mode=True, pipeline=test_pipeline, **dataset),
    **loader,
)
test_dataloader = val_dataloader
