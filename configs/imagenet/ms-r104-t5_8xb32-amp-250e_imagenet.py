# MS-ResNet104 of Hu et al. 2021, trained as Qiu et al. train the smaller networks, not
# with the recipe of its own paper.
_base_ = './gac-ms-r18-t4_8xb32-amp-250e_imagenet.py'

model = dict(
    backbone=dict(stem='ms104', depth=104, dropout=0.2, num_steps=5),
    neck=[dict(_base_.model.neck[0], num_steps=5), _base_.model.neck[1]],
)
