"""Subsets of ImageNet: which classes, which images, which labels."""

import shutil
from pathlib import Path
from typing import Any

import pytest
from mmengine.registry import DATASETS, DefaultScope
from mmpretrain.datasets.categories import IMAGENET_CATEGORIES

import mmsnn
from mmsnn.datasets.imagenet_subset import ImageNetSubset, draw_classes

SYNSETS = [f'n{i:08d}' for i in range(8)]
NAMES = [f'class {i}' for i in range(8)]


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """ImageNet's folders of eight classes: three images to train, one to validate."""
    for split, number in (('train', 3), ('val', 1)):
        for synset in SYNSETS:
            folder = tmp_path / split / synset
            folder.mkdir(parents=True)
            for i in range(number):
                # not read without a pipeline
                (folder / f'{synset}_{i}.JPEG').touch()
    return tmp_path


def subset(root: Path, num_classes: Any = 3, seed: Any = 0, **kw: Any) -> Any:
    options = dict(split='train', metainfo=dict(classes=NAMES)) | kw
    cfg = dict(num_classes=num_classes, seed=seed, data_root=str(root), **options)
    with DefaultScope.overwrite_default_scope('mmpretrain'):
        return DATASETS.build(dict(type='mmsnn.ImageNetSubset', **cfg))


def synsets_of(dataset: Any) -> dict[int, set[str]]:
    """Return the folders of each label's images."""
    found: dict[int, set[str]] = {}
    for i in range(len(dataset)):
        info = dataset.get_data_info(i)
        found.setdefault(info['gt_label'], set()).add(
            Path(info['img_path']).parent.name
        )
    return found


def test_classes_are_those_of_the_seed() -> None:
    """The sequence is documented: another one would be other data sets."""
    assert draw_classes(5, 1000, 0) == (298, 553, 672, 859, 993)
    assert draw_classes(5, 1000, 1) != draw_classes(5, 1000, 0)
    few, many = draw_classes(20, 1000, 0), draw_classes(100, 1000, 0)
    assert len(set(many)) == 100
    assert set(few) < set(many) < set(range(1000))


@pytest.mark.parametrize(('split', 'number'), [('train', 3), ('val', 1)])
def test_images_and_labels(root: Path, split: str, number: int) -> None:
    dataset = subset(root, split=split)
    drawn = draw_classes(3, 8, 0)
    assert len(dataset) == 3 * number
    assert synsets_of(dataset) == {new: {SYNSETS[old]} for new, old in enumerate(drawn)}
    assert dataset.class_ids == drawn
    assert dataset.metainfo['classes'] == tuple(NAMES[old] for old in drawn)


def test_every_class(root: Path) -> None:
    dataset = subset(root, num_classes=8)
    assert synsets_of(dataset) == {i: {synset} for i, synset in enumerate(SYNSETS)}


def test_images_that_lie_flat(root: Path) -> None:
    (root / 'meta').mkdir()
    lines = []
    for label, synset in enumerate(SYNSETS):
        shutil.rmtree(root / 'val' / synset)
        lines.append(f'{synset}.JPEG {label}')
    (root / 'meta/val.txt').write_text('\n'.join(lines))
    dataset = subset(root, split='val')
    found = [dataset.get_data_info(i) for i in range(len(dataset))]
    assert [Path(info['img_path']).stem for info in found] == [
        SYNSETS[old] for old in dataset.class_ids
    ]
    assert [info['gt_label'] for info in found] == [0, 1, 2]


def test_names_before_the_images_are_looked_for(root: Path) -> None:
    dataset = subset(root, lazy_init=True)
    names = dataset.metainfo['classes']
    assert len(names) == 3
    dataset.full_init()
    assert dataset.metainfo['classes'] == names
    assert len(dataset) == 9


def test_indices_are_of_the_subset(root: Path) -> None:
    assert synsets_of(subset(root, indices=3)).keys() == {0}


def test_without_names_they_are_imagenets() -> None:
    dataset = ImageNetSubset(5, 0, 'nowhere', 'val', lazy_init=True)
    assert dataset.metainfo['classes'] == tuple(
        IMAGENET_CATEGORIES[old] for old in draw_classes(5, 1000, 0)
    )


def test_is_public() -> None:
    assert mmsnn.datasets.ImageNetSubset is ImageNetSubset


@pytest.mark.parametrize(
    ('wrong', 'error', 'message'),
    [
        (dict(num_classes=0), ValueError, 'num_classes must be at least 1, but got 0'),
        (dict(num_classes=9), ValueError, 'at most 8, .* but got 9'),
        (dict(num_classes=2.0), TypeError, r'num_classes must be an integer.*2\.0'),
        (dict(seed=-1), ValueError, r'seed must be 0 to 2\*\*32 - 1, but got -1'),
        (dict(seed=2**32), ValueError, 'seed must be 0 to .* but got 4294967296'),
        (dict(seed=None), TypeError, 'seed must be an integer, but got None'),
        (dict(seed=True), TypeError, 'seed must be an integer, but got True'),
        (dict(split='test'), ValueError, "split must be one of train, val.*'test'"),
        (dict(split=''), ValueError, "split must be one of train, val, but got ''"),
    ],
)
def test_mistakes(
    root: Path, wrong: dict[str, Any], error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message):
        subset(root, **wrong)
