# The detector that spikes throughout (I-LIF, D = 4, T = 1) on event recordings: one
# frame of four bins.
_base_ = [
    '../_base_/models/whole_spiking_retinanet_r10_digits.py',
    '../_base_/datasets/event_digits_detection.py',
    '../_base_/schedules/adamw_16e.py',
    '../_base_/digits_runtime.py',
]

num_bins = 4
load = dict(_base_.load, num_steps=1, num_bins=num_bins)
pipeline = [load, *_base_.pipeline[1:]]
train_dataloader = dict(dataset=dict(pipeline=pipeline))
val_dataloader = dict(dataset=dict(pipeline=pipeline))
test_dataloader = dict(dataset=dict(pipeline=pipeline))

model = dict(
    data_preprocessor=dict(
        _delete_=True,
        type='mmsnn.EventDetDataPreprocessor',
        num_steps=1,
        channels=2 * num_bins,
        pad_size_divisor=32,
    ),
    backbone=dict(in_channels=2 * num_bins),
)
