# The DVS Gesture row of Table 7 of the SEW paper (Fang et al. 2021), and SGD with
# momentum 0.9 and mixed precision as in A.1. Each network has its own learning rate
# (Table 8).
max_epochs = 192
train_cfg = dict(type='EpochBasedTrainLoop', max_epochs=max_epochs, val_interval=1)
val_cfg = dict(type='ValLoop')
test_cfg = dict(type='TestLoop')

param_scheduler = [
    dict(type='StepLR', begin=0, end=max_epochs, by_epoch=True, step_size=64, gamma=0.1)
]

optim_wrapper = dict(
    type='AmpOptimWrapper',
    loss_scale='dynamic',
    optimizer=dict(type='SGD', lr=0.1, momentum=0.9, weight_decay=0),
)

auto_scale_lr = dict(enable=False, base_batch_size=16)
