# Mask R-CNN with the 19M E-SpikeFormer, from its authors' ImageNet weights. The FPN and
# the heads do not spike; the levels have strides 4, 8, 16, 16, 32.
_base_ = [
    '../_base_/models/faster-rcnn_r18_fpn.py',
    '../_base_/datasets/coco_instance_multiscale.py',
    '../_base_/schedules/adamw_12e.py',
    '../_base_/default_runtime.py',
]

num_steps = 1
in_channels = [64, 128, 256, 360]
strides = [4, 8, 16, 16]

model = dict(
    type='MaskRCNN',
    data_preprocessor=dict(pad_mask=True),
    backbone=dict(
        _delete_=True,
        type='mmsnn.ESpikeFormer',
        channels='19M',
        num_steps=num_steps,
        out_indices=(0, 1, 2, 3),
        init_cfg=dict(
            type='mmsnn.PretrainedSpikeFormer',
            checkpoint='checkpoints/e-spikeformer-19m.pth',
        ),
    ),
    neck=[
        dict(
            type='mmsnn.SpikeDecoder',
            decoder=dict(type='Rate'),
            in_channels=in_channels,
            num_steps=num_steps,
        ),
        dict(type='FPN', in_channels=in_channels, out_channels=256, num_outs=5),
    ],
    rpn_head=dict(
        anchor_generator=dict(strides=[*strides, 32], base_sizes=[4, 8, 16, 32, 64])
    ),
    roi_head=dict(
        bbox_roi_extractor=dict(featmap_strides=strides),
        mask_roi_extractor=dict(
            type='SingleRoIExtractor',
            roi_layer=dict(type='RoIAlign', output_size=14, sampling_ratio=0),
            out_channels=256,
            featmap_strides=strides,
        ),
        mask_head=dict(
            type='FCNMaskHead',
            num_convs=4,
            in_channels=256,
            conv_out_channels=256,
            num_classes=80,
            loss_mask=dict(type='CrossEntropyLoss', use_mask=True, loss_weight=1.0),
        ),
    ),
    train_cfg=dict(rcnn=dict(mask_size=28)),
    test_cfg=dict(rcnn=dict(mask_thr_binary=0.5)),
)

train_dataloader = dict(batch_size=4)
