# Sized for two CPU cores: a quarter of the papers' width, and a stem with stride 2.
_base_ = [
    '../_base_/models/sg_r10_classifier.py',
    '../_base_/datasets/fashion_mnist.py',
    '../_base_/schedules/adamw-bs64_8e.py',
    '../_base_/classification_runtime.py',
]

num_steps = 4
channels = 128

model = dict(
    data_preprocessor=dict(mean=[72.9], std=[90.0]),
    backbone=dict(
        in_channels=1,
        base_channels=16,
        stem=dict(
            _delete_=True, type='DirectStem', kernel_size=3, stride=2, pool=False
        ),
    ),
    neck=[
        dict(
            type='mmsnn.SpikeDecoder',
            decoder=dict(type='ASD'),
            in_channels=[channels],
            num_steps=num_steps,
        ),
        dict(type='GlobalAveragePooling'),
    ],
    head=dict(in_channels=channels),
)

randomness = dict(seed=0)
