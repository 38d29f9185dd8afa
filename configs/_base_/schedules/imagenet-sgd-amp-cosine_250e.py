# Qiu et al., supplement B: 250 epochs, batches of 256, a learning rate of 0.1 with
# cosine decay to 0. The weight decay and mixed precision are those of the authors'
# code.
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
        by_epoch=True,
    ),
]

optim_wrapper = dict(
    type='AmpOptimWrapper',
    loss_scale='dynamic',
    optimizer=dict(type='SGD', lr=0.1, momentum=0.9, weight_decay=1e-5),
)

# Learning rate for 8 GPUs x 32 images; --auto-scale-lr scales it to other batch sizes.
auto_scale_lr = dict(enable=False, base_batch_size=256)
