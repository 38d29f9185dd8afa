# Li et al., Section V-A: one time step, for ablation studies.
# The paper does not give the start of the warm-up, here 1 % of the learning rate, as in
# torchvision.
max_epochs = 50
train_cfg = dict(type='EpochBasedTrainLoop', max_epochs=max_epochs, val_interval=1)
val_cfg = dict(type='ValLoop')
test_cfg = dict(type='TestLoop')

param_scheduler = [
    dict(
        type='LinearLR',
        start_factor=0.01,
        begin=0,
        end=5,
        by_epoch=True,
        convert_to_iter_based=True,
    ),
    dict(
        type='MultiStepLR',
        begin=0,
        end=max_epochs,
        by_epoch=True,
        milestones=[30, 40, 45],
        gamma=0.1,
    ),
]

optim_wrapper = dict(
    type='AmpOptimWrapper',
    loss_scale='dynamic',
    optimizer=dict(type='SGD', lr=0.1, momentum=0.9, weight_decay=1e-4),
)

# Learning rate for 8 GPUs x 32 images; --auto-scale-lr scales it to other batch sizes.
auto_scale_lr = dict(enable=False, base_batch_size=256)
