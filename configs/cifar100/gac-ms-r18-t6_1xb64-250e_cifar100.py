_base_ = [
    '../_base_/models/gac_ms_r18_classifier.py',
    '../_base_/datasets/cifar100.py',
    '../_base_/schedules/sgd-bs64_250e.py',
    '../_base_/classification_runtime.py',
]

model = dict(data_preprocessor=_base_.data_preprocessor)

train_dataloader = dict(batch_size=64)
