# The bundled event digits set, made by `mmsnn datasets event-digits`:
#   data/event_digits/{train,val}/*_td.dat, *_bbox.npy
# Four frames of two bins. No flips, since mirrored digits are invalid. No workers:
# loading is cheap, and on a CPU a worker takes a core away from training.
_base_ = 'event_detection.py'

dataset = dict(
    type='mmsnn.EventDigitsDetection',
    data_root='data/event_digits',
    duration=_base_.duration,
)
load = dict(_base_.load, num_steps=4)
pipeline = [load, _base_.test_pipeline[1], _base_.test_pipeline[2]]

train_dataloader = dict(
    num_workers=0, persistent_workers=False, dataset=dict(dataset, pipeline=pipeline)
)
val_dataloader = dict(
    num_workers=0, persistent_workers=False, dataset=dict(dataset, pipeline=pipeline)
)
test_dataloader = dict(
    num_workers=0,
    persistent_workers=False,
    dataset=dict(dataset, split='val', pipeline=pipeline),
)
