# RetinaNet with Meta-SpikeFormer and one time step, initialised with the backbone of
# configs/imagenet/meta-spikeformer-15m-t1_8xb128-amp-200e_imagenet.py. The schedule is
# that of the RetinaNet config in the authors' code (of V3): 36 epochs, linear decay.
_base_ = [
    '../_base_/models/retinanet_r18_fpn.py',
    '../_base_/datasets/coco_detection.py',
    '../_base_/schedules/adamw_12e.py',
    '../_base_/default_runtime.py',
]

num_steps = 1
in_channels = [128, 256, 360]
max_epochs = 36

model = dict(
    backbone=dict(
        _delete_=True,
        type='mmsnn.MetaSpikeFormer',
        channels='15M',
        num_steps=num_steps,
        out_indices=(1, 2, 3),
        init_cfg=dict(
            type='Pretrained',
            checkpoint='work_dirs/meta-spikeformer-15m-t1_8xb128-amp-200e_imagenet/'
            'epoch_200.pth',
            prefix='backbone.',
        ),
    ),
    neck=[
        dict(
            type='mmsnn.SpikeDecoder',
            decoder=dict(type='Rate'),
            in_channels=in_channels,
            num_steps=num_steps,
        ),
        dict(
            type='FPN',
            in_channels=in_channels,
            out_channels=256,
            add_extra_convs='on_input',
            num_outs=5,
        ),
    ],
    # the last stage does not downsample: two levels have stride 16
    bbox_head=dict(
        anchor_generator=dict(
            strides=[8, 16, 16, 32, 64], base_sizes=[8, 16, 32, 64, 128]
        )
    ),
)

train_cfg = dict(max_epochs=max_epochs)
param_scheduler = [
    dict(_base_.param_scheduler[0], end=4000),
    dict(
        type='LinearLR',
        start_factor=1.0,
        end_factor=0.01,
        by_epoch=True,
        begin=1,
        end=max_epochs,
    ),
]
auto_scale_lr = dict(base_batch_size=16)
