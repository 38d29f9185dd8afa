_base_ = './sew-add-wide-7b-t16_1xb16-amp-64e_cifar10-dvs.py'

num_steps = 4

model = dict(
    backbone=dict(num_steps=num_steps),
    neck=[dict(_base_.model.neck[0], num_steps=num_steps), _base_.model.neck[1]],
)

pipeline = [
    dict(type='mmsnn.LoadEventFrames', num_steps=num_steps),
    _base_.pack_inputs,
]
train_dataloader = dict(dataset=dict(pipeline=pipeline))
val_dataloader = dict(dataset=dict(pipeline=pipeline))
test_dataloader = val_dataloader
