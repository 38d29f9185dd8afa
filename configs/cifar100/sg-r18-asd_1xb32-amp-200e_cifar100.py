_base_ = [
    '../_base_/models/sg_r18_classifier.py',
    '../_base_/datasets/cifar100.py',
    '../_base_/schedules/sgd-bs32-amp_200e.py',
    '../_base_/classification_runtime.py',
]

model = dict(data_preprocessor=_base_.data_preprocessor)
