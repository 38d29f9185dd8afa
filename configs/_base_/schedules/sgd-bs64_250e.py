# The CIFAR columns of Table 5 of Qiu et al. and the training details next to it: SGD
# with momentum 0.9, a learning rate of 0.1 with cosine decay to 0. The weight decay is
# that of the authors' code, https://github.com/bollossom/GAC.
max_epochs = 250
train_cfg = dict(type='EpochBasedTrainLoop', max_epochs=max_epochs, val_interval=1)
val_cfg = dict(type='ValLoop')
test_cfg = dict(type='TestLoop')

param_scheduler = [
    dict(
        type='CosineAnnealingLR',
        begin=0,
        end=max_epochs,
        T_max=max_epochs,
        eta_min=0,
        by_epoch=True,
    ),
]

optim_wrapper = dict(
    type='OptimWrapper',
    optimizer=dict(type='SGD', lr=0.1, momentum=0.9, weight_decay=5e-5),
)

# The learning rate is for 64 images in total, which the authors' code splits among the
# eight GPUs of the paper. --auto-scale-lr scales it for other batch sizes.
auto_scale_lr = dict(enable=False, base_batch_size=64)
