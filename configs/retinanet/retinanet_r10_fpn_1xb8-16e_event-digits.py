# The baseline without spikes on event recordings: an ordinary ResNet10 on one frame of
# all events of the window.
_base_ = [
    '../_base_/models/retinanet_r10_fpn_digits.py',
    '../_base_/datasets/event_digits_detection.py',
    '../_base_/schedules/adamw_16e.py',
    '../_base_/digits_runtime.py',
]

pipeline = [dict(_base_.load, num_steps=1, num_bins=1), *_base_.pipeline[1:]]
train_dataloader = dict(dataset=dict(pipeline=pipeline))
val_dataloader = dict(dataset=dict(pipeline=pipeline))
test_dataloader = dict(dataset=dict(pipeline=pipeline))

model = dict(
    data_preprocessor=dict(
        _delete_=True,
        type='mmsnn.EventDetDataPreprocessor',
        num_steps=1,
        channels=2,
        pad_size_divisor=32,
    ),
    backbone=dict(in_channels=2),
)
