_base_ = './sg-r18-rate_1xb32-amp-200e_cifar100.py'

model = dict(backbone=dict(depth=34))
