# Li et al., Section V-A, for ImageNet-5 and ImageNet-20: four time steps, one GPU, a
# learning rate of 0.1 per 256 images. The weight decay is that of the paper's other
# networks with four time steps. The paper gives neither the batch size, here 32, nor
# the start of the warm-up, here 1 % of the learning rate, as in torchvision.
max_epochs = 100
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
        type='CosineAnnealingLR',
        begin=5,
        end=max_epochs,
        T_max=max_epochs - 5,
        by_epoch=True,
    ),
]

optim_wrapper = dict(
    type='AmpOptimWrapper',
    loss_scale='dynamic',
    optimizer=dict(type='SGD', lr=0.1 * 32 / 256, momentum=0.9, weight_decay=1e-5),
)

auto_scale_lr = dict(enable=False, base_batch_size=32)
