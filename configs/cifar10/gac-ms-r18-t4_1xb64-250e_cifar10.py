_base_ = './gac-ms-r18-t6_1xb64-250e_cifar10.py'

num_steps = 4
model = dict(
    backbone=dict(num_steps=num_steps),
    neck=[dict(_base_.model.neck[0], num_steps=num_steps), _base_.model.neck[1]],
)
