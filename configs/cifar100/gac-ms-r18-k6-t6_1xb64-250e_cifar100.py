# Fig. 4 (b): convolutions of 6x6 in the spatial-channel attention.
_base_ = './gac-ms-r18-t6_1xb64-250e_cifar100.py'

stem = dict(type='GatedAttentionStem', kernel_size=3, stride=1, sca_kernel_size=6)
model = dict(backbone=dict(stem=dict(stem, _delete_=True)))
