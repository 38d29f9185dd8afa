"""Subsets of ImageNet: which classes, which images, which labels."""

import shutil
from pathlib import Path
from typing import Any

import pytest
from mmengine.registry import DATASETS, DefaultScope
from mmpretrain.datasets.categories import IMAGENET_CATEGORIES

from mmsnn.datasets import ImageNetSubset
from mmsnn.datasets.imagenet_subset import draw_classes

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


def subset(root: Path, num_classes: int = 3, **kw: Any) -> Any:
    options = dict(split='train', metainfo=dict(classes=NAMES)) | kw
    cfg = dict(num_classes=num_classes, seed=0, data_root=str(root), **options)
    with DefaultScope.overwrite_default_scope('mmpretrain'):
        return DATASETS.build(dict(type='mmsnn.ImageNetSubset', **cfg))


def synsets_of(dataset: Any) -> dict[int, set[str]]:
    """Return the folders of each label's images."""
    found: dict[int, set[str]] = {}
    for info in map(dataset.get_data_info, range(len(dataset))):
        folder = Path(info['img_path']).parent.name
        found.setdefault(info['gt_label'], set()).add(folder)
    return found


def test_classes_are_those_of_the_seed() -> None:
    """The sequence is documented: another one would be other data sets."""
    assert draw_classes(5, 1000, 0) == (298, 553, 672, 859, 993)
    assert draw_classes(5, 1000, 1) != draw_classes(5, 1000, 0)
    few, many = draw_classes(20, 1000, 0), draw_classes(100, 1000, 0)
    assert len(set(many)) == 100
    assert set(few) < set(many) < set(range(1000))


@pytest.mark.parametrize(('split', 'number'), [('train', 3), ('val', 1)])
@pytest.mark.parametrize('num_classes', [3, 8])
def test_images_and_labels(
    root: Path, split: str, number: int, num_classes: int
) -> None:
    dataset = subset(root, num_classes, split=split)
    drawn = draw_classes(num_classes, 8, 0)
    assert sorted(drawn) == list(drawn)
    assert len(dataset) == num_classes * number
    assert synsets_of(dataset) == {new: {SYNSETS[old]} for new, old in enumerate(drawn)}
    assert dataset.class_ids == drawn
    assert dataset.metainfo['classes'] == tuple(NAMES[old] for old in drawn)


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
    """Without names they are ImageNet's."""
    dataset = subset(root, lazy_init=True)
    names = dataset.metainfo['classes']
    assert len(names) == 3
    dataset.full_init()
    assert dataset.metainfo['classes'] == names
    assert len(dataset) == 9
    assert synsets_of(subset(root, indices=3)).keys() == {0}
    nowhere = ImageNetSubset(5, 0, 'nowhere', 'val', lazy_init=True)
    assert nowhere.metainfo['classes'] == tuple(
        IMAGENET_CATEGORIES[old] for old in draw_classes(5, 1000, 0)
    )
