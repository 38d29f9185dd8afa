"""What the papers say about their ImageNet networks, for the tests of the configs.

SG: Zhang et al. 2023. SEW: Fang et al. 2021. DANet: Li et al. GAC: Qiu et al.
"""

from collections.abc import Mapping
from typing import Any, NamedTuple

from mmengine.config import Config
from torch import nn

from mmsnn.models import DirectStem, GatedAttentionStem

from . import files

CONFIGS = files.CONFIGS / 'imagenet'

RESNETS = {18: 11.69, 34: 21.80, 50: 25.56, 101: 44.55, 152: 60.19}
"""Millions of parameters, of a family without norms of its own (Li et al., Tab. 6)"""


def of(*depths: int) -> dict[int, float]:
    return {depth: RESNETS[depth] for depth in depths}


def at(*depths: int) -> dict[int, float | None]:
    """Return depths of networks with norms of their own, which no paper counts."""
    return dict.fromkeys(depths)


class Row(NamedTuple):
    recipe: str
    family: str
    num_steps: int
    parameters: Mapping[int, float | None]
    """Depth to millions, with 1000 classes."""
    stem: type[nn.Module] = DirectStem


# its norms are before its convolutions
DANET_B = {18: 11.69, 34: 21.80, 50: 25.55, 101: 44.54, 152: 60.19}

# Li et al., Figs. 5 to 7 (DANet-C and D: not of ResNet18) and Table III
SUBSET_ROWS: list[tuple[str, str, Mapping[int, float | None]]] = [
    ('spiking-r{}', 'Spiking', RESNETS),
    ('tdbn-r{}', 'tdBN', at(*RESNETS)),
    ('baa-r{}', 'BAA', at(*RESNETS)),
    ('sew-add-r{}', 'SEW-ADD', RESNETS),
    ('danet-a-r{}', 'DANet-A', RESNETS),
    ('danet-b-r{}', 'DANet-B', DANET_B),
    ('danet-c-r{}', 'DANet-C', of(34, 50, 101, 152)),
    ('danet-d-r{}', 'DANet-D', at(34, 50, 101, 152)),
    ('densenet{}', 'DenseNet', at(121, 201, 161)),
]
SUBSETS = {
    '1xb32-amp-100e_imagenet-5': 'subset-100e',
    '1xb32-amp-100e_imagenet-20': 'subset-100e',
    '1xb32-amp-50e_imagenet-100': 'subset-50e',
}
"""Schedule and data set of a config's name -> recipe."""

# Name, {} for the depth -> network; the tables are those of the networks' results.
ROWS = {
    # Zhang et al., Table 3 and Section 5.1.3; ASD has 0.033 M of its own
    'sg-r{}-asd_8xb32-amp-320e_imagenet': Row(
        'SG', 'SG-BSG', 4, {18: 11.72, 34: 21.83}
    ),
    'sg-r{}-rate_8xb32-amp-320e_imagenet': Row('SG', 'SG-BSG', 4, of(50)),
    # Fang et al., Table 2
    'sew-add-r{}-rate_8xb32-amp-320e_imagenet': Row('SEW', 'SEW-ADD', 4, RESNETS),
    'spiking-r{}-rate_8xb32-amp-320e_imagenet': Row('SEW', 'Spiking', 4, RESNETS),
    # Li et al., Tables II and VI
    'danet-a-r{}-t1_8xb32-amp-120e_imagenet': Row('DANet-120e', 'DANet-A', 1, RESNETS),
    'danet-c-r{}-t1_8xb32-amp-120e_imagenet': Row(
        'DANet-120e', 'DANet-C', 1, of(34, 50)
    ),
    'danet-d-r{}-t1_8xb32-amp-120e_imagenet': Row('DANet-120e', 'DANet-D', 1, of(34)),
    'danet-a-r{}-t4_8xb32-amp-45e_imagenet': Row('DANet-45e', 'DANet-A', 4, RESNETS),
    'danet-c-r{}-t4_8xb32-amp-45e_imagenet': Row('DANet-45e', 'DANet-C', 4, of(34, 50)),
    'danet-d-r{}-t4_8xb32-amp-45e_imagenet': Row('DANet-45e', 'DANet-D', 4, of(34)),
    # Li et al., Fig. 6 (d)
    'danet-a-r{}-t1_8xb32-amp-50e_imagenet': Row('DANet-50e', 'DANet-A', 1, RESNETS),
    'danet-b-r{}-t1_8xb32-amp-50e_imagenet': Row('DANet-50e', 'DANet-B', 1, DANET_B),
    'sew-add-r{}-t1_8xb32-amp-50e_imagenet': Row('DANet-50e', 'SEW-ADD', 1, RESNETS),
    # Li et al., Table III
    'densenet{}-t1_8xb32-amp-50e_imagenet': Row(
        'DANet-50e', 'DenseNet', 1, at(121, 201)
    ),
    **{
        f'{name}-t4_{schedule}': Row(recipe, family, 4, depths)
        for schedule, recipe in SUBSETS.items()
        for name, family, depths in SUBSET_ROWS
    },
    # Qiu et al., Table 2; Li et al., Tab. VI for 104 layers
    'gac-ms-r{}-t4_8xb32-amp-250e_imagenet': Row(
        'GAC', 'MS', 4, {18: 11.82, 34: 21.93}, GatedAttentionStem
    ),
    'gac-ms-r{}-t6_8xb32-amp-250e_imagenet': Row(
        'GAC', 'MS', 6, {18: 11.82, 34: 21.93}, GatedAttentionStem
    ),
    'ms-r{}-t6_8xb32-amp-250e_imagenet': Row('GAC', 'MS', 6, of(18, 34)),
    'ms-r{}-t5_8xb32-amp-250e_imagenet': Row('GAC', 'MS', 5, {104: 77.35}),
}
NETWORKS = {
    name.format(depth): (row, depth)
    for name, row in ROWS.items()
    for depth in row.parameters
}

FIVE, *OTHERS = SUBSETS
ROOT = 'danet-a-r50-t4_'
COPIES = {
    name: name.replace(other, FIVE)
    for name in NETWORKS
    for other in OTHERS
    if name.endswith(other) and not name.startswith(ROOT)
}
"""Config of 20 or 100 classes -> that of 5 classes, which has the same lines."""

FIRST_PHASES = {
    name: name.replace('-t4_8xb32-amp-45e', '-t1_8xb32-amp-120e')
    for name in NETWORKS
    if '-45e_' in name
}
"""Config of a second phase -> that of the first one, from which it starts."""

# Recipe -> setting -> its value and where the paper says it.
LR, DECAY = 'optim_wrapper.optimizer.lr', 'optim_wrapper.optimizer.weight_decay'
FIRST, SECOND = 'param_scheduler.0.', 'param_scheduler.1.'
TOTAL = 'auto_scale_lr.base_batch_size'
STANDARD = ['RandomResizedCrop', 'RandomFlip']

COSINE_320 = {
    FIRST + 'type': 'CosineAnnealingLR',
    FIRST + 'T_max': 320,
    'train_cfg.max_epochs': 320,
    LR: 0.1,
    DECAY: 0.0,
    'train_dataloader.batch_size': 32,
    TOTAL: 32 * 8,
}
DANET = {
    'model.backbone.neuron.type': ('IF', 'Section V-A'),
    'model.backbone.neuron.surrogate': (dict(type='Sigmoid', alpha=4.0), 'Eq. 2'),
    'augmentation': ([*STANDARD, 'AutoAugment'], 'Section V-A'),
    'model.head.loss.type': ('LabelSmoothLoss', 'Section V-A'),
    FIRST + 'type': ('LinearLR', 'Section V-A'),
}
DANET_T1 = {LR: (0.1, 'Section V-A'), DECAY: (1e-4, 'Section V-A')}
SYNC = {'model.backbone.norm_cfg.type': ('SyncBN', 'Section V-A')}
SUBSET = {
    SECOND + 'type': ('CosineAnnealingLR', 'Section V-A.3'),
    SECOND + 'begin': (5, 'Section V-A.3'),
    FIRST + 'end': (5, 'Section V-A.3'),
    LR: (0.1 * 32 / 256, 'Section V-A.3, 0.1 per 256'),
    TOTAL: (32, 'Section V-A.3, one GPU'),
    DECAY: (1e-5, 'Section V-A.2, four time steps'),
}


def milestones(epochs: int, warm_up: int, steps: list[int]) -> dict[str, Any]:
    return {
        'train_cfg.max_epochs': (epochs, 'Section V-A.2'),
        FIRST + 'end': (warm_up, 'Section V-A.2'),
        SECOND + 'milestones': (steps, 'Section V-A.2'),
        TOTAL: (256, 'Section V-A.2'),
    }


def cosine_until(epochs: int) -> dict[str, Any]:
    return {
        'train_cfg.max_epochs': (epochs, 'Section V-A.3'),
        SECOND + 'end': (epochs, 'Section V-A.3'),
        SECOND + 'T_max': (epochs - 5, 'Section V-A.3'),
    }


RECIPES: dict[str, dict[str, tuple[Any, str]]] = {
    'SG': {
        **{key: (value, 'Table 2') for key, value in COSINE_320.items()},
        'augmentation': (STANDARD, 'Section 5.1.3'),
        'model.head.loss.type': ('CrossEntropyLoss', 'Section 4.2, softmax'),
        'model.backbone.neuron': (None, 'Section 5: IF, ATan, the default'),
    },
    'SEW': {
        # the weight decay is not in the paper but in its code
        **{key: (value, 'Table 7') for key, value in COSINE_320.items()},
        'augmentation': (STANDARD, 'Appendix A.1'),
        'model.head.loss.type': ('CrossEntropyLoss', 'its code'),
        'model.backbone.neuron': (dict(type='IF', detach_reset=True), 'Appendix A.1'),
    },
    'DANet-120e': DANET | DANET_T1 | SYNC | milestones(120, 15, [60, 105, 115]),
    'DANet-50e': DANET | DANET_T1 | SYNC | milestones(50, 5, [30, 40, 45]),
    'DANet-45e': {
        **DANET,
        **SYNC,
        **milestones(45, 10, [30, 40]),
        LR: (0.02, 'Section V-A.2'),
        DECAY: (1e-5, 'Section V-A.2'),
        'model.init_cfg.type': ('mmsnn.PretrainedSteps', 'Section V-A.2'),
    },
    'subset-100e': DANET | SUBSET | cosine_until(100),
    'subset-50e': DANET | SUBSET | cosine_until(50),
    'GAC': {
        'model.backbone.neuron.v_threshold': (0.5, 'Table 4'),
        'model.backbone.neuron.tau': (1 / (1 - 0.25), 'Table 4, decay 0.25'),
        'model.backbone.neuron.decay_input': (False, 'equation of the LIF'),
        'model.backbone.neuron.surrogate': (dict(type='Rectangular'), 'Table 4'),
        TOTAL: (256, 'Table 5'),
        'train_cfg.max_epochs': (250, 'Table 5'),
        LR: (0.1, 'Supplement B'),
        FIRST + 'type': ('CosineAnnealingLR', 'Supplement B'),
        FIRST + 'T_max': (250, 'Supplement B'),
        'augmentation': (['RandomResizedCrop', 'AutoAugment'], 'its code'),
        'model.head.loss.type': ('LabelSmoothLoss', 'Supplement B'),
        DECAY: (1e-5, 'its code'),
    },
}


def load(name: str) -> Config:
    return files.load(CONFIGS / f'{name}.py')


def setting(cfg: Config, key: str) -> Any:
    """Return a config's setting, None if there is none."""
    if key == 'augmentation':
        load_image, *transforms, pack = cfg.train_dataloader.dataset.pipeline
        assert (load_image.type, pack.type) == ('LoadImageFromFile', 'PackInputs')
        return [transform.type for transform in transforms]
    return files.setting(cfg, key)
