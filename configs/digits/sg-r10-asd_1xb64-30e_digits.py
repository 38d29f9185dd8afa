_base_ = [
    '../_base_/models/sg_r10_classifier.py',
    '../_base_/datasets/digits.py',
    '../_base_/schedules/adamw-bs64_30e.py',
    '../_base_/classification_runtime.py',
]

model = dict(data_preprocessor=dict(mean=[77.8] * 3, std=[95.9] * 3))

default_hooks = dict(logger=dict(interval=23))
randomness = dict(seed=0)
