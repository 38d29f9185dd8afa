# A narrow Spiking RetinaNet for the bundled digits detection set, sized for two CPU
# cores: half of the paper's width, 64 channels in the FPN and the head.
_base_ = [
    '../_base_/models/spiking_retinanet_r10_fpn_digits.py',
    '../_base_/datasets/digits_detection.py',
    '../_base_/schedules/adamw_8e.py',
    '../_base_/digits_runtime.py',
]
