# The ImageNet rows of Table 2 of Zhang et al. 2023 and of Table 7 of Fang et al. 2021,
# which agree. Fang et al. do not mention a weight decay; their code has none.
max_epochs = 320
train_cfg = dict(type='EpochBasedTrainLoop', max_epochs=max_epochs, val_interval=1)
val_cfg = dict(type='ValLoop')
test_cfg = dict(type='TestLoop')

param_scheduler = [
    dict(
        type='CosineAnnealingLR',
        begin=0,
        end=max_epochs,
        T_max=max_epochs,
        by_epoch=True,
    ),
]

optim_wrapper = dict(
    type='AmpOptimWrapper',
    loss_scale='dynamic',
    optimizer=dict(type='SGD', lr=0.1, momentum=0.9, weight_decay=0.0),
)

# Learning rate for 8 GPUs x 32 images; --auto-scale-lr scales it to other batch sizes.
auto_scale_lr = dict(enable=False, base_batch_size=256)
