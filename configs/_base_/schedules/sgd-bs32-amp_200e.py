# The CIFAR-100 row of Table 2 of Zhang et al. 2023, and Section 5's SGD with momentum
# 0.9 and mixed precision. By how much a step divides the rate is not given: by 10. A
# warm-up is not mentioned either, and there is none.
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

# The learning rate is for 1 GPU x 32 images; --auto-scale-lr scales it to others.
auto_scale_lr = dict(enable=False, base_batch_size=32)
