# The MSCOCO row of Table 2 of Zhang et al. 2023, and Section 5's SGD with momentum 0.9
# and mixed precision. The warm-up is MMDetection's; the paper does not mention one.
max_epochs = 72
train_cfg = dict(type='EpochBasedTrainLoop', max_epochs=max_epochs, val_interval=1)
val_cfg = dict(type='ValLoop')
test_cfg = dict(type='TestLoop')

param_scheduler = [
    dict(type='LinearLR', start_factor=0.001, by_epoch=False, begin=0, end=500),
    dict(
        type='MultiStepLR',
        begin=0,
        end=max_epochs,
        by_epoch=True,
        milestones=[64, 70],
        gamma=0.1,
    ),
]

optim_wrapper = dict(
    type='AmpOptimWrapper',
    loss_scale='dynamic',
    optimizer=dict(type='SGD', lr=0.01, momentum=0.9, weight_decay=0.0001),
)

# Learning rate for 8 GPUs x 2 images; --auto-scale-lr scales it to other batch sizes.
auto_scale_lr = dict(enable=False, base_batch_size=16)
