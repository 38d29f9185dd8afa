# The head of the narrow RetinaNets for the bundled digits detection set, for a neck of 64
# channels.
_base_ = 'retinanet_r18_fpn.py'

model = dict(
    bbox_head=dict(
        num_classes=10,
        in_channels=64,
        feat_channels=64,
        stacked_convs=2,
        norm_cfg=dict(type='GN', num_groups=8),
        # P2 to P6, one level finer than the paper, for upright digits of 18 pixels
        anchor_generator=dict(ratios=[1.5], strides=[4, 8, 16, 32, 64]),
        reg_decoded_bbox=True,
        loss_bbox=dict(_delete_=True, type='GIoULoss', loss_weight=2.0),
    ),
)
