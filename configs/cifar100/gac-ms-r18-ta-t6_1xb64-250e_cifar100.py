# Fig. 4 (a): the temporal attention alone.
_base_ = './gac-ms-r18-t6_1xb64-250e_cifar100.py'

stem = dict(type='GatedAttentionStem', kernel_size=3, stride=1, spatial_channel=False)
model = dict(backbone=dict(stem=dict(stem, _delete_=True)))
