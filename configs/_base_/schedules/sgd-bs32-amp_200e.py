# The CIFAR-100 row of Table 2 of Zhang et al. 2023, and Section 5's SGD with momentum
# 0.9 and mixed precision. The paper does not give the factor by which a step divides
# the learning rate, here 10. It does not mention a warm-up, and none is used.
max_epochs = 200
train_cfg = dict(type='EpochBasedTrainLoop', max_epochs=max_epochs, val_interval=1)
val_cfg = dict(type='ValLoop')
test_cfg = dict(type='TestLoop')

param_scheduler = [
    dict(
        type='MultiStepLR',
        begin=0,
        end=max_epochs,
        by_epoch=True,
        milestones=[60, 120, 160],
        gamma=0.1,
    ),
]

optim_wrapper = dict(
    type='AmpOptimWrapper',
    loss_scale='dynamic',
    optimizer=dict(type='SGD', lr=0.1, momentum=0.9, weight_decay=0.0001),
)

# Learning rate for 1 GPU x 32 images; --auto-scale-lr scales it to other batch sizes.
auto_scale_lr = dict(enable=False, base_batch_size=32)
