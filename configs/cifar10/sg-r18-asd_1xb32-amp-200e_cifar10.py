_base_ = [
    '../_base_/models/sg_r18_classifier.py',
    '../_base_/datasets/cifar10.py',
    '../_base_/schedules/sgd-bs32-amp_200e.py',
    '../_base_/classification_runtime.py',
]

model = dict(data_preprocessor=_base_.data_preprocessor, head=dict(num_classes=10))

# In Table 2, the learning rate has two steps for CIFAR-10, and three for CIFAR-100.
param_scheduler = [dict(_base_.param_scheduler[0], milestones=[100, 150])]
