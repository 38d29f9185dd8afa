"""Numbers of the SG paper (Zhang et al. 2023)."""

from collections.abc import Iterator
from functools import partial
from pathlib import Path

import _measured_numbers as ours
from _paper_rows import (
    CIFAR,
    COUNTS,
    ENERGY,
    EVENTS,
    IMAGENET,
    SURROGATE,
    Number,
    flops,
    recipe,
)

from mmsnn.analysis import energy_pj
from mmsnn.models.neurons import ATan

SG = 'SG ResNet (Zhang et al. 2023)'


def sg_numbers() -> Iterator[Number]:
    """Yield the numbers of the SG paper."""
    yield Number(
        SG,
        'Section 5',
        'surrogate 1 / (1 + (pi x)^2) at x = 0, 0.5, 1',
        '1, 0.288, 0.092',
        lambda: ours.derivatives(ATan(2.0), 0, 0.5, 1),
        'configs/cifar100/sg-r18-asd_1xb32-amp-200e_cifar100.py',
        SURROGATE,
    )
    for depth, blocks in {10: '1, 1, 1, 1', 18: '2, 2, 2, 2', 34: '3, 4, 6, 3'}.items():
        config = f'configs/cifar100/sg-r{depth}-asd_1xb32-amp-200e_cifar100.py'
        yield Number(
            SG,
            'Table 1',
            f'blocks per stage, SG ResNet{depth}',
            blocks,
            partial(ours.stages, depth),
            config,
            f'{CIFAR}::test_network_is_the_sg_papers',
        )
    for reported, config, test in (
        (
            '200 epochs, lr 0.1, batch 32',
            'cifar100/sg-r18-asd_1xb32-amp-200e_cifar100',
            f'{CIFAR}::test_settings_are_the_papers',
        ),
        (
            '200 epochs, lr 0.1, batch 32',
            'cifar10/sg-r18-asd_1xb32-amp-200e_cifar10',
            f'{CIFAR}::test_settings_are_the_papers',
        ),
        (
            '320 epochs, lr 0.1, batch 256',
            'imagenet/sg-r34-asd_8xb32-amp-320e_imagenet',
            f'{IMAGENET}::test_recipe_is_the_papers',
        ),
        (
            '64 epochs, lr 0.01, batch 8',
            'cifar10_dvs/sg-7b-rate_1xb8-amp-64e_cifar10-dvs',
            f'{EVENTS}::test_training_is_the_papers',
        ),
        (
            '72 epochs, lr 0.01, batch 16',
            'spiking_retinanet/spiking-retinanet_sg-r18-asd_fpn_8xb2-amp-72e_coco',
            'tests/test_configs/test_coco_configs.py::test_setting_is_the_papers',
        ),
    ):
        path = f'configs/{config}.py'
        yield recipe(SG, 'Table 2', reported, path, test)
        decay = '0' if 'imagenet' in path or 'dvs' in path else '0.0001'
        yield Number(
            SG,
            'Table 2',
            f'weight decay, {Path(path).parent.name}',
            decay,
            partial(ours.weight_decay, path),
            path,
            test,
        )
    yield from table_5()


def table_5() -> Iterator[Number]:
    """Yield the numbers of the SG paper's Table 5 and of Section 5.3."""
    config = ours.TABLE_5
    energy = f'mmsnn energy {config} --random --no-projections'
    counts = f'{ENERGY}::test_table_5'
    table = 'Table 5'

    def total_parameters() -> int:
        return ours.count(ours.build(config))

    def macs() -> float:
        return ours.ann_macs(config, 32, projections=False)

    def snn_pj() -> float:
        return energy_pj(ours.snn_macs(), ours.PAPERS_ACS, 'SG')

    for where, what, reported, measure, command, test, difference in (
        (
            'Section 5.3.1',
            'energy of a MAC and an AC',
            '3.1, 0.1 pJ',
            lambda: ours.costs('SG'),
            energy,
            f'{ENERGY}::test_assumptions_stand_beside_the_number',
            '',
        ),
        (
            table,
            'parameters, ANN ResNet18',
            '11.22 M',
            lambda: ours.millions(total_parameters() - ours.decoder_parameters()),
            flops(config),
            f'{COUNTS}::test_cifar_ann',
            '',
        ),
        (
            table,
            'parameters, SG ResNet18',
            '11.25 M',
            lambda: ours.millions(total_parameters()),
            flops(config),
            f'{COUNTS}::test_cifar_sg_resnet_with_asd',
            '',
        ),
        (
            'Section 5.3.2',
            'parameters, ASD',
            '0.033 M',
            lambda: ours.millions(ours.decoder_parameters(), 3),
            flops(config),
            counts,
            '',
        ),
        (
            table,
            'MACs, ANN',
            '549.2 M',
            lambda: ours.millions(macs(), 1),
            energy,
            counts,
            '',
        ),
        (
            table,
            'energy, ANN',
            '1.7e9 pJ',
            lambda: f'{ours.scientific(energy_pj(macs(), 0, "SG"))} pJ',
            energy,
            counts,
            '',
        ),
        (
            table,
            'MACs, SNN',
            '1.9 M',
            lambda: ours.millions(ours.snn_macs(), 1),
            energy,
            counts,
            '',
        ),
        (
            'Section 5.3.2',
            'operations, ASD',
            '0.08 M',
            lambda: ours.millions(ours.analog_macs('decoder')),
            energy,
            counts,
            '',
        ),
        (
            'Section 5.3.2',
            'energy, ASD',
            '2.55e5 pJ',
            lambda: (
                ours.scientific(energy_pj(ours.analog_macs('decoder'), 0, 'SG'), 2)
                + ' pJ'
            ),
            energy,
            counts,
            '82.3 k operations at 3.1 pJ; all operations of the equations are 83.6 k '
            '([list](energy.md#the-sg-papers-table-5))',
        ),
        (
            table,
            "energy, SNN, with the paper's 348.9 M ACs",
            '4.1e7 pJ',
            lambda: f'{ours.scientific(snn_pj())} pJ',
            energy,
            counts,
            '',
        ),
        (
            table,
            "ANN's energy / SNN's",
            '41.7',
            lambda: f'{energy_pj(macs(), 0, "SG") / snn_pj():.1f}',
            energy,
            counts,
            '',
        ),
    ):
        yield Number(SG, where, what, reported, measure, command, test, difference)
