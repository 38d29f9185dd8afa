_base_ = [
    '../_base_/models/gac_ms_r18_classifier.py',
    '../_base_/datasets/cifar10.py',
    '../_base_/schedules/sgd-bs64_250e.py',
    '../_base_/classification_runtime.py',
]

model = dict(
    # The paper does not give the standard deviations: these are from the authors' code.
    data_preprocessor=dict(_base_.data_preprocessor, std=[51.5865, 50.847, 51.255]),
    head=dict(num_classes=10),
)

train_dataloader = dict(batch_size=64)
