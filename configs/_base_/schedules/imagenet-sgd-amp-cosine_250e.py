# Qiu et al., supplement B: 250 epochs, batches of 256, a learning rate of 0.1 with
# cosine decay to 0. The weight decay and mixed precision are those of the authors'
# code.
_base_ = 'imagenet-sgd-amp-cosine_320e.py'

max_epochs = 250
train_cfg = dict(max_epochs=max_epochs)
param_scheduler = [dict(_base_.param_scheduler[0], end=max_epochs, T_max=max_epochs)]
optim_wrapper = dict(optimizer=dict(weight_decay=1e-5))
