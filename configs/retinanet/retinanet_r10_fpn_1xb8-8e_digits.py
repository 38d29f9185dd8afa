# The twin without spikes of the spiking RetinaNets for the bundled digits detection
# set: ResNet10 of half width with a 5x5 stem, the same FPN, head and schedule.
_base_ = [
    '../_base_/models/retinanet_r10_fpn_digits.py',
    '../_base_/datasets/digits_detection.py',
    '../_base_/schedules/adamw_8e.py',
    '../_base_/digits_runtime.py',
]

model = dict(
    backbone=dict(stem=dict(type='DirectStem', kernel_size=5, stride=2, pool=True))
)
