"""Numbers of the GAC paper (Qiu et al.)."""

from collections.abc import Iterator
from functools import partial

import _measured_numbers as ours
from _paper_rows import CIFAR, ENERGY, IMAGENET, THIS, Number, flops, parameters, recipe

GAC = 'Gated attention coding (Qiu et al.)'
CUT = {'12.54': '12.548', '12.67': '12.679'}
"""Numbers of parameters that are not rounded, with their third digit."""


def gac_numbers() -> Iterator[Number]:
    """Yield the numbers of the GAC paper."""
    sizes = {
        ('Table 1', 'cifar10/ms-r18-t6_1xb64-250e_cifar10'): '12.50',
        ('Table 1', 'cifar100/ms-r18-t6_1xb64-250e_cifar100'): '12.54',
        ('Table 1', 'cifar10/gac-ms-r18-t6_1xb64-250e_cifar10'): '12.63',
        ('Table 1', 'cifar100/gac-ms-r18-t6_1xb64-250e_cifar100'): '12.67',
        ('Table 1', 'cifar10/vgg16-latency-coding-t100_1xb64-250e_cifar10'): '33.64',
        ('Table 2', 'imagenet/ms-r18-t6_8xb32-amp-250e_imagenet'): '11.69',
        ('Table 2', 'imagenet/ms-r34-t6_8xb32-amp-250e_imagenet'): '21.80',
        ('Table 2', 'imagenet/gac-ms-r18-t4_8xb32-amp-250e_imagenet'): '11.82',
        ('Table 2', 'imagenet/gac-ms-r34-t4_8xb32-amp-250e_imagenet'): '21.93',
    }
    for (where, config), reported in sizes.items():
        data, _, name = config.partition('/')
        test = f'{CIFAR}::test_number_of_parameters'
        if data == 'imagenet':
            test = f'{IMAGENET}::test_network_is_the_papers'
        what = f'{name.partition("_")[0]}, {data}'
        path = f'configs/{config}.py'
        cut = CUT.get(reported)
        yield parameters(
            GAC,
            where,
            what,
            f'{reported} M',
            path,
            test,
            f'the paper drops the third digit of {cut} M' if cut else '',
        )
    yield Number(
        GAC,
        'Eq. 11',
        'energy of a MAC and an AC',
        '4.6, 0.9 pJ',
        lambda: ours.costs('GAC'),
        'mmsnn energy configs/cifar10/gac-ms-r18-t6_1xb64-250e_cifar10.py --random '
        '--costs GAC',
        f'{ENERGY}::test_assumptions_stand_beside_the_number',
    )
    for depth, reported, difference in (
        (
            18,
            '14.26 mJ',
            '14.26 mJ are 3.10 G MACs at 4.6 pJ; a ResNet18 has 1.83 G at 224 x 224',
        ),
        (
            34,
            '16.87 mJ',
            '3.667 G MACs; ours are 3.676 G, of which 12.8 M are the projection of the '
            'first stage, whose stride is 2',
        ),
    ):
        config = f'configs/imagenet/ms-r{depth}-t6_8xb32-amp-250e_imagenet.py'
        yield Number(
            GAC,
            'Table 2',
            f'energy, ANN MS-ResNet{depth}, ImageNet',
            reported,
            partial(ours.ann_energy_mj, config),
            f'mmsnn energy {config} --random --costs GAC',
            THIS,
            difference,
        )
    yield Number(
        GAC,
        'Table 4',
        'threshold, reset potential, decay',
        '0.5, 0, 0.25',
        lambda: ours.neuron('configs/cifar10/gac-ms-r18-t6_1xb64-250e_cifar10.py'),
        'configs/cifar10/gac-ms-r18-t6_1xb64-250e_cifar10.py',
        f'{CIFAR}::test_network_is_the_gac_papers',
    )
    for reported, config, test in (
        (
            '250 epochs, lr 0.1, batch 64',
            'cifar10/gac-ms-r18-t6_1xb64-250e_cifar10',
            f'{CIFAR}::test_settings_are_the_papers',
        ),
        (
            '250 epochs, lr 0.1, batch 256',
            'imagenet/gac-ms-r34-t4_8xb32-amp-250e_imagenet',
            f'{IMAGENET}::test_recipe_is_the_papers',
        ),
    ):
        yield recipe(GAC, 'Table 5', reported, f'configs/{config}.py', test)
    for data, reported, config in (
        ('CIFAR-10', '1.0287%', 'cifar10/gac-ms-r18-t6_1xb64-250e_cifar10'),
        ('CIFAR-100', '1.0259%', 'cifar100/gac-ms-r18-t6_1xb64-250e_cifar100'),
        ('ImageNet', '0.5925%', 'imagenet/gac-ms-r34-t4_8xb32-amp-250e_imagenet'),
    ):
        yield Number(
            GAC,
            'Table 7',
            f"share of SCA's parameters, {data}",
            reported,
            partial(ours.attention_share, f'configs/{config}.py'),
            flops(f'configs/{config}.py', 224 if data == 'ImageNet' else 32),
            'tests/test_models/test_stems/test_gated.py::test_counts_of_parameters',
            "SCA's 131 072 parameters over the network's of Tables 1 and 2; the "
            "paper's shares belong to totals that are 0.8 to 0.9 % larger",
        )
