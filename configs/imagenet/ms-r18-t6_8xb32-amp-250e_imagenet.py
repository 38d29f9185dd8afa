# The baseline: direct coding instead of gated attention coding, with the same training.
_base_ = './gac-ms-r18-t4_8xb32-amp-250e_imagenet.py'

model = dict(
    backbone=dict(stem='ms', num_steps=6),
    neck=[dict(_base_.model.neck[0], num_steps=6), _base_.model.neck[1]],
)
