"""What Zhang et al. 2023 ("SG"), Qiu et al. ("GAC") and Fang et al. 2021 ("SEW") say of
their CIFAR training.
"""

from typing import Any

from mmengine.config import Config

from mmsnn.models import (
    DirectStem,
    GatedAttentionStem,
    LatencyStem,
    PhaseStem,
    RateStem,
)
from mmsnn.models.neurons import ATan, Constant, Rectangular
from test_configs.files import CONFIGS, shared

# SG, Table 1: blocks a stage.
BLOCKS = {10: (1, 1, 1, 1), 18: (2, 2, 2, 2), 34: (3, 4, 6, 3)}
# Beginning of a config's name, the table that has it, family, decoder.
ROWS = [
    ('sg-r{}-asd', 'SG, Tables 3 and 6', 'SG-BSG', 'ASD'),
    ('sg-r{}-rate', 'SG, Table 6', 'SG-BSG', 'Rate'),
    ('spiking-r{}-rate', 'SG, Table 7', 'Spiking', 'Rate'),
    ('sew-iand-r{}-rate', 'SG, Table 8', 'SEW-IAND', 'Rate'),
    ('sew-add-r{}-rate', 'SG, Table 8', 'SEW-ADD', 'Rate'),
    ('sg-bsgstar-r{}-rate', 'SG, Table 9', 'SG-BSG*', 'Rate'),
]
SG = {
    name.format(depth): (table, family, BLOCKS[depth], decoder)
    for name, table, family, decoder in ROWS
    for depth in BLOCKS
}
# Name -> the table that has it, time steps, stem.
GAC = {
    'gac-ms-r18-t2': ('GAC, Table 1', 2, GatedAttentionStem),
    'gac-ms-r18-t4': ('GAC, Table 1', 4, GatedAttentionStem),
    'gac-ms-r18-t6': ('GAC, Table 1', 6, GatedAttentionStem),
    'ms-r18-t6': ('GAC, Table 1', 6, DirectStem),
}
# Name -> settings of the stem (GAC, Fig. 4; its kernel sizes are in the figure only).
ABLATIONS: dict[str, dict[str, Any]] = {
    'gac-ms-r18-ta-t6': dict(spatial_channel=False),
    'gac-ms-r18-sca-t6': dict(temporal=False),
    'gac-ms-r18-k2-t6': dict(sca_kernel_size=2),
    'gac-ms-r18-k6-t6': dict(sca_kernel_size=6),
    'gac-ms-r18-k8-t6': dict(sca_kernel_size=8),
}
# Name -> time steps, stem (GAC, Table 3), millions of parameters (VGG16: Table 1).
CODINGS = {
    'tdbn-r19-phase-coding-t8': (8, PhaseStem, 12.70),
    'tdbn-r19-rate-coding-t6': (6, RateStem, 12.70),
    'vgg16-latency-coding-t100': (100, LatencyStem, 33.64),
}
# Name -> family, surrogate (SEW, A.5 and Table 9).
SURROGATES = {
    f'{name}-10b-{title}': (family, surrogate)
    for name, family in (('sew-add', 'SEW-ADD'), ('spiking', 'Spiking'))
    for title, surrogate in (
        ('atan', ATan(2.0)),
        ('rectangular', Rectangular(1.0)),
        ('constant', Constant(1.0)),
    )
}
SG_FILES = {
    **{f'cifar100/{name}_1xb32-amp-200e_cifar100': SG[name] for name in SG},
    **{
        f'cifar10/{name}_1xb32-amp-200e_cifar10': SG[name]
        for name in SG
        if name.endswith('asd')
    },
}
GAC_FILES = {
    **{
        f'cifar{classes}/{name}_1xb64-250e_cifar{classes}': row
        for classes in (10, 100)
        for name, row in GAC.items()
    },
    **{
        f'cifar100/{name}_1xb64-250e_cifar100': ('GAC, Fig. 4', 6, GatedAttentionStem)
        for name in ABLATIONS
    },
}
CODING_FILES = {
    f'cifar10/{name}_1xb64-250e_cifar10': row for name, row in CODINGS.items()
}
SEW_FILES = {
    f'cifar10/{name}_1xb16-amp-64e_cifar10': row for name, row in SURROGATES.items()
}
FILES: dict[str, Any] = {**SG_FILES, **GAC_FILES, **CODING_FILES, **SEW_FILES}

# Where a paper says it -> the setting in a config -> its value.
EVERY: dict[tuple[str, str], Any] = {
    ('SG 5, GAC B, SEW A.1: optimizer', 'optim_wrapper.optimizer.type'): 'SGD',
    ('SG 5, GAC B, SEW A.1: momentum', 'optim_wrapper.optimizer.momentum'): 0.9,
    ('SG 5.1.1, GAC B: crop and flip', 'train_dataloader.dataset.pipeline'): [
        dict(type='RandomCrop', crop_size=32, padding=4),
        dict(type='RandomFlip', prob=0.5, direction='horizontal'),
        dict(type='PackInputs'),
    ],
    ('50 000 images', 'train_dataloader.dataset.split'): 'train',
    ('10 000 images', 'test_dataloader.dataset.split'): 'test',
    ('nothing else', 'test_dataloader.dataset.pipeline'): [dict(type='PackInputs')],
    ('SG 5.1: top-k accuracy', 'test_evaluator.topk'): (1, 5),
    ('RGB mean, std', 'model.data_preprocessor.to_rgb'): None,
}
SG_PAPER: dict[tuple[str, str], Any] = {
    ('Table 2, rate', 'optim_wrapper.optimizer.lr'): 0.1,
    ('Table 2, epochs', 'train_cfg.max_epochs'): 200,
    ('Table 2, step schedule', 'param_scheduler.0.type'): 'MultiStepLR',
    ('Table 2, weight decay', 'optim_wrapper.optimizer.weight_decay'): 0.0001,
    ('Table 2, batch size', 'train_dataloader.batch_size'): 32,
    ('Table 2, batch size x GPUs', 'auto_scale_lr.base_batch_size'): 32,
    ('Section 5, mixed precision', 'optim_wrapper.type'): 'AmpOptimWrapper',
    ('no CutMix', 'model.train_cfg'): None,
}
GAC_PAPER: dict[tuple[str, str], Any] = {
    ('Supplement B: rate', 'optim_wrapper.optimizer.lr'): 0.1,
    ('Table 5, epochs', 'train_cfg.max_epochs'): 250,
    ('Training details, cosine', 'param_scheduler.0.type'): 'CosineAnnealingLR',
    ('Authors: weight decay', 'optim_wrapper.optimizer.weight_decay'): 5e-5,
    ('Table 5, batch size', 'train_dataloader.batch_size'): 64,
    ('Authors: of all GPUs', 'auto_scale_lr.base_batch_size'): 64,
    ('single precision', 'optim_wrapper.type'): 'OptimWrapper',
    ('Training details, CutMix; authors: alpha', 'model.train_cfg.augments'): dict(
        type='CutMix', alpha=1.0
    ),
    ('Authors: how often', 'model.train_cfg.probs'): 0.5,
}
# What A.5 leaves open is that of CIFAR10-DVS.
SEW_PAPER: dict[tuple[str, str], Any] = {
    ('Table 7, epochs', 'train_cfg.max_epochs'): 64,
    ('Table 7, cosine', 'param_scheduler.0.type'): 'CosineAnnealingLR',
    ('Table 7, rate', 'optim_wrapper.optimizer.lr'): 0.01,
    ('Authors: weight decay', 'optim_wrapper.optimizer.weight_decay'): 0,
    ('Table 7, batch size', 'train_dataloader.batch_size'): 16,
    ('Table 7, batch size x GPUs', 'auto_scale_lr.base_batch_size'): 16,
    ('A.1, mixed precision', 'optim_wrapper.type'): 'AmpOptimWrapper',
    ('no CutMix', 'model.train_cfg'): None,
}
SETTINGS = [
    (name, where, key, value)
    for names, paper in (
        (FILES, EVERY),
        (SG_FILES, SG_PAPER),
        ({**GAC_FILES, **CODING_FILES}, GAC_PAPER),
        (SEW_FILES, SEW_PAPER),
    )
    for name in names
    for (where, key), value in paper.items()
]

# SG, Table 2 (by how much is not given): rates of some epochs, counted from 0.
STEPS_100 = {0: 0.1, 59: 0.1, 60: 0.01, 119: 0.01, 120: 1e-3, 160: 1e-4, 199: 1e-4}
STEPS_10 = {0: 0.1, 99: 0.1, 100: 0.01, 149: 0.01, 150: 1e-3, 199: 1e-3}
# GAC, Training details.
COSINE = {0: 0.1, 125: 0.05, 249: 0.0}
# SEW, Table 7.
COSINE_64 = {0: 0.01, 32: 0.005, 63: 0.0}

# SG, Table 5 (11.22 M is the ANN's, which has the same convolutions), and GAC, Table 1:
# millions of parameters.
PARAMETERS = {
    'cifar100/sg-r18-rate_1xb32-amp-200e_cifar100': 11.22,
    'cifar100/sg-r18-asd_1xb32-amp-200e_cifar100': 11.25,
    **{
        f'cifar{classes}/{name}_1xb64-250e_cifar{classes}': millions
        for classes, with_gac, without in ((10, 12.63, 12.50), (100, 12.67, 12.54))
        for name, millions in (
            *((f'gac-ms-r18-t{steps}', with_gac) for steps in (2, 4, 6)),
            ('ms-r18-t6', without),
        )
    },
    **{name: millions for name, (_, _, millions) in CODING_FILES.items()},
}


def cached(name: str) -> Config:
    return shared(CONFIGS / f'{name}.py')
