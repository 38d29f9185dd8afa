# CIFAR-10 as published, in data/cifar10/cifar-10-batches-py/. Missing files are
# downloaded.
dataset_type = 'CIFAR10'
data_root = 'data/cifar10/'

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

train_dataloader = dict(
    batch_size=32,
    num_workers=2,
    persistent_workers=True,
    sampler=dict(type='DefaultSampler', shuffle=True),
    collate_fn=dict(type='default_collate'),
    dataset=dict(
        type=dataset_type, data_root=data_root, split='train', pipeline=train_pipeline
    ),
)
val_dataloader = dict(
    batch_size=32,
    num_workers=2,
    persistent_workers=True,
    sampler=dict(type='DefaultSampler', shuffle=False),
    collate_fn=dict(type='default_collate'),
    dataset=dict(
        type=dataset_type,
        data_root=data_root,
        split='test',
        test_mode=True,
        pipeline=test_pipeline,
    ),
)
test_dataloader = val_dataloader

val_evaluator = dict(type='Accuracy', topk=(1, 5))
test_evaluator = val_evaluator
