# Runtime of the detectors for the bundled digits detection set: fewer log lines and
# checkpoints, and a seed.
_base_ = 'default_runtime.py'

default_hooks = dict(
    checkpoint=dict(interval=4, max_keep_ckpts=1, save_best=None),
    logger=dict(interval=100),
)
randomness = dict(seed=0)
