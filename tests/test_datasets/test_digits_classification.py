"""The bundled digits as a classification set."""

import functools
import inspect
from collections import Counter
from typing import Any

import numpy as np
import pytest
from mmengine.registry import DATASETS, DefaultScope
from sklearn.datasets import load_digits

from mmsnn.datasets import DigitsClassification, make_digits_detection
from mmsnn.datasets.digits.making import divide_digits, load_materials

SPLITS = ('train', 'test')


def stack(dataset: DigitsClassification) -> np.ndarray:
    return np.stack([dataset[i]['img'] for i in range(len(dataset))])


@functools.cache
def built(split: str) -> DigitsClassification:
    return DigitsClassification(split)


def images(split: str) -> np.ndarray:
    return stack(built(split))


def labels(split: str) -> list[int]:
    return [built(split)[i]['gt_label'] for i in range(len(built(split)))]


def test_images_are_colour_images_of_the_digits() -> None:
    pixels = images('test')
    assert (pixels.shape, pixels.dtype) == ((359, 8, 8, 3), np.uint8)
    assert (pixels.min(), pixels.max()) == (0, 255)
    assert (pixels == pixels[..., :1]).all()


def test_the_splits_are_all_of_scikit_learns_digits_once() -> None:
    both = np.concatenate([images(split)[..., 0] for split in SPLITS])
    given = np.rint(load_digits().images * (255 / 16)).astype(np.uint8)
    assert sorted(map(bytes, both)) == sorted(map(bytes, given))
    counts = [Counter(labels(split)) for split in SPLITS]
    assert counts[0] + counts[1] == Counter(load_digits().target.tolist())


def test_a_fifth_of_each_class_is_for_testing() -> None:
    train, test = (Counter(labels(split)) for split in SPLITS)
    assert (train.total(), test.total()) == (1438, 359)
    for label in range(10):
        assert test[label] == round(0.2 * (train[label] + test[label]))


def test_labels_belong_to_the_images() -> None:
    digits = load_digits()
    index = divide_digits(digits.target, seed=0)['val']
    assert labels('test') == digits.target[index].tolist()
    given = np.rint(digits.images[index] * (255 / 16))
    assert (images('test')[..., 0] == given).all()


def test_the_split_is_the_detection_sets_and_always_the_same() -> None:
    default = inspect.signature(make_digits_detection).parameters['seed'].default
    material = load_materials(seed=default)
    for split, pool in zip(SPLITS, ('train', 'val'), strict=True):
        glyphs = material[pool].glyphs[material[pool].pool]
        assert (images(split)[..., 0] == glyphs).all()
    assert (stack(DigitsClassification('test')) == images('test')).all()


def test_options() -> None:
    first = stack(DigitsClassification('test', indices=5))
    assert (first == images('test')[:5]).all()
    chosen = stack(DigitsClassification('test', indices=[3, 1]))
    assert (chosen == images('test')[[3, 1]]).all()
    dataset = DigitsClassification('test', lazy_init=True, test_mode=True)
    assert dataset.test_mode
    dataset.full_init()
    assert len(dataset) == 359
    assert dataset.metainfo['classes'] == tuple('0123456789')


def test_from_a_config_with_mmpretrains_transforms() -> None:
    cfg = dict(
        type='mmsnn.DigitsClassification',
        split='train',
        pipeline=[dict(type='Resize', scale=16), dict(type='PackInputs')],
    )
    with DefaultScope.overwrite_default_scope('mmpretrain'):
        sample = DATASETS.build(cfg)[0]
    assert sample['inputs'].shape == (3, 16, 16)
    assert sample['data_samples'].gt_label.item() in range(10)


@pytest.mark.parametrize('split', ['val', 'TEST', None, ['train']])
def test_unknown_split(split: Any) -> None:
    with pytest.raises(ValueError, match='split must be one of train, test, but got'):
        DigitsClassification(split)
