_base_ = [
    '../_base_/models/retinanet_r18_fpn.py',
    '../_base_/datasets/coco_detection.py',
    '../_base_/schedules/sgd-amp_72e.py',
    '../_base_/default_runtime.py',
]
