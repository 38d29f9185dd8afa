_base_ = './sg-r18-asd_1xb32-amp-200e_cifar100.py'

model = dict(backbone=dict(depth=34))
