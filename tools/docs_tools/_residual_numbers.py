"""Numbers of the SEW paper (Fang et al. 2021) and of the DANet paper (Li et al.)."""

from collections.abc import Iterator
from functools import partial

import _measured_numbers as ours
from _paper_rows import (
    COUNTS,
    EVENTS,
    IMAGENET,
    SURROGATE,
    THIS,
    Number,
    flops,
    parameters,
    recipe,
)

from mmsnn.models.neurons import ATan, Sigmoid

SEW = 'SEW ResNet (Fang et al. 2021)'
DANET = 'DANet (Li et al.)'


def sew_numbers() -> Iterator[Number]:
    """Yield the numbers of the SEW paper."""
    wide = 'configs/cifar10_dvs/sew-add-wide-7b-t16_1xb16-amp-64e_cifar10-dvs.py'
    gesture = 'configs/dvs128_gesture/{}-7b_1xb16-amp-192e_dvs128-gesture.py'
    imagenet = 'configs/imagenet/sew-add-r{}-rate_8xb32-amp-320e_imagenet.py'
    network = f'{EVENTS}::test_network_is_the_papers'
    for where, setting, surrogate, points, reported in (
        ('Section 4.1', 'V_th 1, alpha 2', ATan(2.0), (0.0,), '1'),
        ('Section 4.1', 'V_th 0.5, alpha 2', ATan(2.0), (-0.5, 0.5), '0.288, 0.288'),
        ('Section 4.1', 'V_th 1, alpha 3', ATan(3.0), (0.0,), '1.5'),
    ):
        yield Number(
            SEW,
            where,
            f'surrogate derivative, {setting}',
            reported,
            partial(ours.derivatives, surrogate, *points),
            'python tools/docs_tools/gradient_tables.py',
            SURROGATE,
        )
    yield Number(
        SEW,
        'Fig. 4',
        'blocks, ResNet18, 34, 50, 101, 152',
        '7, 15, 15, 33, 50',
        lambda: ours.num_blocks(18, 34, 50, 101, 152),
        imagenet.format(18),
        f'{IMAGENET}::test_network_is_the_papers',
        'the ResNets of He et al. have 8, 16 and 16 blocks with 18, 34 and 50 layers; '
        'the text gives one less for these three',
    )
    yield parameters(
        SEW, 'Table 5', '7B-Net', '0.13 M', gesture.format('sew-add'), network
    )
    yield parameters(SEW, 'Table 6', 'Wide-7B-Net', '1.19 M', wide, network)
    yield Number(
        SEW,
        'Section 4.1',
        'parameters, SEW ResNet34, ImageNet',
        '21.8 M',
        lambda: ours.millions(ours.count(ours.build(imagenet.format(34))), 1),
        flops(imagenet.format(34), 224),
        f'{COUNTS}::test_imagenet',
    )
    yield Number(
        SEW,
        'Section 4.1',
        'parameters, tdBN ResNet34 with four times the kernels',
        '85.5 M',
        ours.wide_tdbn_parameters,
        'python tools/docs_tools/paper_numbers.py',
        THIS,
        'cited from Zheng et al.; ours is a tdBN ResNet34 with twice the channels '
        'throughout',
    )
    for reported, config, test in (
        (
            '320 epochs, lr 0.1, batch 256',
            imagenet.format(34),
            f'{IMAGENET}::test_recipe_is_the_papers',
        ),
        (
            '192 epochs, lr 0.1, batch 16',
            gesture.format('spiking'),
            f'{EVENTS}::test_training_is_the_papers',
        ),
        (
            '64 epochs, lr 0.01, batch 16',
            wide,
            f'{EVENTS}::test_training_is_the_papers',
        ),
    ):
        yield recipe(SEW, 'Table 7', reported, config, test)
    names = ('sew-add', 'sew-and', 'sew-iand', 'spiking', 'plain')
    yield Number(
        SEW,
        'Table 8',
        'learning rates, ADD, AND, IAND, Spiking, plain',
        '0.001, 0.03, 0.063, 0.1, 0.005',
        lambda: ours.learning_rates(*(gesture.format(name) for name in names)),
        gesture.format('sew-add'),
        f'{EVENTS}::test_learning_rates_are_the_papers',
    )


def danet_numbers() -> Iterator[Number]:
    """Yield the numbers of the DANet paper."""
    resnets = {18: '11.69', 34: '21.80', 50: '25.56', 101: '44.55', 152: '60.19'}
    config = 'configs/imagenet/danet-a-r{}-t{}.py'
    yield Number(
        DANET,
        'Section III-B',
        'surrogate Sigmoid, alpha 4, derivative at 0',
        '1',
        lambda: ours.derivatives(Sigmoid(4.0), 0),
        config.format(18, '4_8xb32-amp-45e_imagenet'),
        SURROGATE,
    )
    for depth, reported in resnets.items():
        yield parameters(
            DANET,
            'Table VI',
            f'DANet-A ResNet{depth}',
            f'{reported} M',
            config.format(depth, '4_8xb32-amp-45e_imagenet'),
            f'{COUNTS}::test_imagenet',
        )
    for reported, decay, name in (
        ('50 epochs, lr 0.1, batch 256', '0.0001', '1_8xb32-amp-50e_imagenet'),
        ('120 epochs, lr 0.1, batch 256', '0.0001', '1_8xb32-amp-120e_imagenet'),
        ('45 epochs, lr 0.02, batch 256', '1e-05', '4_8xb32-amp-45e_imagenet'),
    ):
        path = config.format(50, name)
        test = f'{IMAGENET}::test_recipe_is_the_papers'
        yield recipe(DANET, 'Section V-A', reported, path, test)
        yield Number(
            DANET,
            'Section V-A',
            f'weight decay, {name.rpartition("_")[0].rpartition("-")[2]}',
            decay,
            partial(ours.weight_decay, path),
            path,
            test,
        )
