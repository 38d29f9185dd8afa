# The baseline: direct coding instead of gated attention coding.
_base_ = './gac-ms-r18-t6_1xb64-250e_cifar10.py'

model = dict(backbone=dict(stem='cifar'))
