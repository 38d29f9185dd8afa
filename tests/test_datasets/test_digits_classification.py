"""The bundled digits as a classification set."""

import inspect
from collections import Counter

import numpy as np
import pytest
from mmengine.registry import DATASETS, DefaultScope
from sklearn.datasets import load_digits

from mmsnn.datasets import DigitsClassification, make_digits_detection
from mmsnn.datasets.digits.making import divide_digits, load_materials


def load(*args, **options) -> tuple[np.ndarray, list[int]]:
    """Return images and labels."""
    dataset = DigitsClassification(*args, **options)
    samples = [dataset[i] for i in range(len(dataset))]
    return np.stack([s['img'] for s in samples]), [s['gt_label'] for s in samples]


@pytest.mark.parametrize(('split', 'pool'), [('train', 'train'), ('test', 'val')])
def test_a_split_is_the_detection_sets(split: str, pool: str) -> None:
    """And always the same: scikit-learn's digits in colour, with their labels."""
    images, labels = load(split)
    assert (images.dtype, images.shape[1:]) == (np.uint8, (8, 8, 3))
    assert (images.min(), images.max()) == (0, 255)
    assert (images == images[..., :1]).all()
    given = load_digits()
    index = divide_digits(given.target, seed=0)[pool]
    assert labels == given.target[index].tolist()
    assert (images[..., 0] == np.rint(given.images[index] * (255 / 16))).all()
    default = inspect.signature(make_digits_detection).parameters['seed'].default
    material = load_materials(seed=default)[pool]
    assert (images[..., 0] == material.glyphs[material.pool]).all()
    assert (load(split)[0] == images).all()


def test_a_fifth_of_each_class_is_for_testing() -> None:
    """All digits are in one split."""
    (train, train_labels), (test, test_labels) = load('train'), load('test')
    assert (len(train), len(test)) == (1438, 359)
    both = np.concatenate([train, test])[..., 0]
    given = np.rint(load_digits().images * (255 / 16)).astype(np.uint8)
    assert sorted(map(bytes, both)) == sorted(map(bytes, given))
    counts = Counter(load_digits().target.tolist())
    assert Counter(train_labels) + Counter(test_labels) == counts
    assert Counter(test_labels) == {k: round(0.2 * n) for k, n in counts.items()}


def test_options() -> None:
    images, _ = load('test')
    assert (load('test', indices=5)[0] == images[:5]).all()
    assert (load('test', indices=[3, 1])[0] == images[[3, 1]]).all()
    dataset = DigitsClassification('test', lazy_init=True, test_mode=True)
    assert dataset.test_mode
    dataset.full_init()
    assert len(dataset) == 359
    assert dataset.metainfo['classes'] == tuple('0123456789')


def test_from_a_config_with_mmpretrains_transforms() -> None:
    pipeline = [dict(type='Resize', scale=16), dict(type='PackInputs')]
    cfg = dict(type='mmsnn.DigitsClassification', split='train', pipeline=pipeline)
    with DefaultScope.overwrite_default_scope('mmpretrain'):
        sample = DATASETS.build(cfg)[0]
    assert sample['inputs'].shape == (3, 16, 16)
    assert sample['data_samples'].gt_label.item() in range(10)
