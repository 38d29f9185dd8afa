# The baseline without spikes: an ordinary ResNet10 on one frame of all events of the
# window.
_base_ = './spiking-retinanet_sg-r10-asd_fpn_1xb8-16e_event-digits.py'

load = dict(_base_.load, num_steps=1, num_bins=1)
pipeline = [load, *_base_.pipeline[1:]]
train_dataloader = dict(dataset=dict(pipeline=pipeline))
val_dataloader = dict(dataset=dict(pipeline=pipeline))
test_dataloader = dict(dataset=dict(pipeline=pipeline))

model = dict(
    data_preprocessor=dict(num_steps=1, channels=2),
    backbone=dict(
        type='mmsnn.ResNetSNN',
        # with ReLUs it is an ordinary ResNet
        family='Spiking',
        neuron=dict(type='mmsnn.ReLU'),
        in_channels=2,
        num_steps=1,
    ),
    neck=[
        dict(_base_.model.neck[0], decoder=dict(type='Rate'), num_steps=1),
        _base_.model.neck[1],
    ],
)
