# The CIFAR10-DVS row of Table 7 of the SEW paper (Fang et al. 2021), and SGD with
# momentum 0.9 and mixed precision as in A.1.
max_epochs = 64
train_cfg = dict(type='EpochBasedTrainLoop', max_epochs=max_epochs, val_interval=1)
val_cfg = dict(type='ValLoop')
test_cfg = dict(type='TestLoop')

param_scheduler = [
    dict(type='CosineAnnealingLR', begin=0, end=max_epochs, by_epoch=True, T_max=64)
]

optim_wrapper = dict(
    type='AmpOptimWrapper',
    loss_scale='dynamic',
    optimizer=dict(type='SGD', lr=0.01, momentum=0.9, weight_decay=0),
)

auto_scale_lr = dict(enable=False, base_batch_size=16)
