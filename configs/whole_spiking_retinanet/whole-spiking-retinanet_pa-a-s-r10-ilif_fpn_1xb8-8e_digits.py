# A RetinaNet that spikes throughout, for the bundled digits detection set, sized for
# two CPU cores: integer neurons (I-LIF, D = 4) at T = 1.
_base_ = [
    '../_base_/models/whole_spiking_retinanet_r10_digits.py',
    '../_base_/datasets/digits_detection.py',
    '../_base_/schedules/adamw_8e.py',
    '../_base_/digits_runtime.py',
]

model = dict(
    backbone=dict(
        # 5x5 instead of 7x7: the stem is the only layer that multiplies
        stem=dict(type='DirectStem', kernel_size=5, stride=2, pool=True)
    )
)
