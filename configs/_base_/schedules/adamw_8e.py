# For training detectors from scratch on little data: warm-up, cosine decay, averaged
# weights.
_base_ = 'adamw-bs64_8e.py'

train_cfg = dict(val_interval=4)
param_scheduler = [
    _base_.param_scheduler[0],
    dict(_base_.param_scheduler[1], eta_min=2e-5),
]

optim_wrapper = dict(clip_grad=dict(max_norm=10))
custom_hooks = [
    dict(
        type='EMAHook',
        ema_type='ExpMomentumEMA',
        momentum=0.002,
        update_buffers=True,
        priority=49,
    )
]

auto_scale_lr = dict(base_batch_size=8)
