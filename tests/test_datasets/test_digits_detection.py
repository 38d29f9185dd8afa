"""The bundled digits detection set: what is in it, and how it is made and remade."""

import hashlib
import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from mmdet.registry import DATASETS
from PIL import Image
from pycocotools.coco import COCO
from sklearn.datasets import load_digits, load_sample_images

from mmsnn.datasets import make_digits_detection
from mmsnn.datasets.digits import making
from mmsnn.datasets.digits.making import divide_digits, load_materials

SPLITS = ('train', 'val')
CHECKSUMS = {
    'train': '9a2af6b37263c49b710b82bd6df9ceb605761c65774b041d23eb27ec4b5e3319',
    'val': 'b1befd469b431798b41c8e5169d56b35b0dc72cf4dbff5be7ad0cb2113bb473c',
}
TRAIN, VAL = (f'annotations/instances_{split}.json' for split in SPLITS)


def make(root: Path | str, **options: int) -> Any:
    return make_digits_detection(root, **dict(num_train=12, num_val=6) | options)


def hashes(root: Path) -> dict[str, str]:
    """File -> hash of its content."""
    return {
        path.relative_to(root).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(root.rglob('*'))
        if path.is_file()
    }


def annotations(root: Path, split: str) -> dict[str, Any]:
    return json.loads((root / f'annotations/instances_{split}.json').read_text())


@pytest.fixture(scope='module')
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A set of 60 images for each split; not to be changed."""
    root = tmp_path_factory.mktemp('digits') / 'set'
    make(root, num_train=60, num_val=60)
    return root


@pytest.fixture(scope='module')
def small(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A set of 12 and 6 images; not to be changed."""
    root = tmp_path_factory.mktemp('digits') / 'small'
    make(root)
    return root


@pytest.fixture
def copied(small: Path, tmp_path: Path) -> Path:
    """The small set, to be changed."""
    return Path(shutil.copytree(small, tmp_path / 'copy'))


# Contents ---------------------------------------------------------------------------


def test_the_content_is_pinned(made: Path) -> None:
    """Another generator needs another ``_VERSION``, and other checksums here."""
    for split, checksum in CHECKSUMS.items():
        content = hashlib.sha256()
        for path in sorted((made / split).iterdir()):
            # the pixels: their compression depends on Pillow's zlib
            content.update(np.asarray(Image.open(path)).tobytes())
        content.update(json.dumps(annotations(made, split)['annotations']).encode())
        assert content.hexdigest() == checksum, split


def test_options_determine_the_bytes(small: Path, tmp_path: Path) -> None:
    """No image depends on how many others there are; all depend on the seed."""
    first = hashes(small)
    assert len(first) == 12 + 6 + 2 + 1
    for name, options in dict(a={}, b=dict(seed=1), c=dict(num_train=5)).items():
        make(tmp_path / name, **options)
    again, other, few = (hashes(tmp_path / name) for name in 'abc')
    assert again == first
    images = [name for name in first if name.endswith('.png')]
    assert all(first[name] != other[name] for name in images)
    val = {name for name in first if 'val' in name}
    assert {name for name in few if 'val' in name} == val
    assert all(few[name] == first[name] for name in few if name.endswith('.png'))
    assert all(few[name] == first[name] for name in val)
    assert {name for name in few if name.startswith('train/')} == {
        f'train/{i:06d}.png' for i in range(5)
    }


def test_splits_share_no_digit(made: Path) -> None:
    labels = load_digits().target
    pools = divide_digits(labels, seed=0)
    assert sorted(np.concatenate(list(pools.values()))) == list(range(1797))
    for split in SPLITS:
        for item in annotations(made, split)['annotations']:
            assert item['source_index'] in pools[split]
            assert item['category_id'] == labels[item['source_index']] + 1
    for label in range(10):
        share = np.mean(labels[pools['val']] == label)
        assert share == pytest.approx(np.mean(labels == label), abs=0.005)
    assert set(pools['val']) != set(divide_digits(labels, seed=1)['val'])


def test_splits_share_no_part_of_a_photograph() -> None:
    materials = load_materials(seed=0)
    for number, photo in enumerate(load_sample_images().images):
        parts = [materials[split].photos[number] for split in SPLITS]
        assert np.array_equal(np.concatenate(parts), photo)
    for split in SPLITS:
        pool = divide_digits(materials[split].labels, seed=0)[split]
        assert np.array_equal(materials[split].pool, pool)


@pytest.mark.parametrize('split', SPLITS)
def test_pycocotools_reads_it(made: Path, split: str) -> None:
    coco = COCO(str(made / f'annotations/instances_{split}.json'))
    assert [c['name'] for c in coco.loadCats(coco.getCatIds())] == list('0123456789')
    assert coco.getCatIds() == list(range(1, 11))
    assert len(coco.getImgIds()) == 60
    for image in coco.loadImgs(coco.getImgIds()):
        with Image.open(made / split / image['file_name']) as file:
            assert file.size == (image['width'], image['height']) == (128, 128)
            assert file.mode == 'RGB'
    for item in coco.loadAnns(coco.getAnnIds()):
        x, y, width, height = item['bbox']
        assert x >= 0 and y >= 0 and x + width <= 128 and y + height <= 128
        assert item['id'] > 0 and item['iscrowd'] == 0
        assert item['area'] == width * height == coco.annToMask(item).sum()


@pytest.mark.parametrize('split', SPLITS)
def test_objects_are_varied_and_apart(made: Path, split: str) -> None:
    objects = annotations(made, split)['annotations']
    covered: dict[int, np.ndarray] = {}
    for item in objects:
        x, y, width, height = item['bbox']
        image = covered.setdefault(item['image_id'], np.zeros((128, 128), int))
        image[y : y + height, x : x + width] += 1
        assert image.max() == 1
    assert len(covered) == 60
    numbers = [item['image_id'] for item in objects]
    assert {numbers.count(image) for image in covered} == {1, 2, 3, 4, 5, 6}
    assert min(item['bbox'][3] for item in objects) >= 16
    areas = [item['area'] for item in objects]
    counts = make(made, num_train=60, num_val=60).splits[split]
    assert counts.objects == len(areas) and counts.images == 60
    assert counts.small == sum(area < 32**2 for area in areas) >= 30
    assert counts.medium == sum(32**2 <= area <= 96**2 for area in areas) >= 20
    assert counts.large == sum(area > 96**2 for area in areas) >= 8


@pytest.mark.parametrize(('image_size', 'max_objects'), [(112, 1), (300, 9)])
def test_size_and_most_objects_are_options(
    tmp_path: Path, image_size: int, max_objects: int
) -> None:
    options = dict(num_train=20, num_val=1, image_size=image_size)
    summary = make(tmp_path / 'set', **options, max_objects=max_objects)
    content = annotations(tmp_path / 'set', 'train')
    numbers = [item['image_id'] for item in content['annotations']]
    assert np.bincount(numbers).max() == max_objects
    assert all(image['width'] == image_size for image in content['images'])
    assert summary.splits['train'].large > 0


@pytest.mark.parametrize('split', SPLITS)
def test_mmdetection_loads_it(made: Path, split: str) -> None:
    load = dict(type='mmdet.LoadAnnotations', with_bbox=True)
    config = dict(
        type='mmsnn.DigitsDetectionDataset',
        data_root=str(made),
        ann_file=f'annotations/instances_{split}.json',
        data_prefix=dict(img=f'{split}/'),
        pipeline=[
            dict(type='mmdet.LoadImageFromFile'), load, dict(type='mmdet.PackDetInputs')
        ],
    )  # fmt: skip
    dataset = DATASETS.build(config)
    assert len(dataset) == 60
    assert dataset.metainfo['classes'] == tuple('0123456789')
    assert len(set(dataset.metainfo['palette'])) == 10
    truth = annotations(made, split)['annotations']
    expected = [item for item in truth if item['image_id'] == 7]
    sample = dataset[7]
    assert sample['inputs'].shape == (3, 128, 128)
    found = sample['data_samples'].gt_instances
    assert found.labels.tolist() == [item['category_id'] - 1 for item in expected]
    corners = [[x, y, x + w, y + h] for x, y, w, h in (i['bbox'] for i in expected)]
    assert found.bboxes.tensor.tolist() == corners


# Making -----------------------------------------------------------------------------


def test_progress_is_shown_in_a_terminal(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for terminal in ('0', '1'):
        monkeypatch.setenv('TTY_COMPATIBLE', terminal)
        make(tmp_path / terminal, num_train=2, num_val=1)
        out, err = capsys.readouterr()
        assert not out
        assert ('val images' in err and '100%' in err) == (terminal == '1')


def test_complete_set_is_left_alone(copied: Path) -> None:
    before = {path: path.stat().st_mtime_ns for path in copied.rglob('*')}
    summary = make(copied)
    assert not summary.created
    assert summary.out_dir == copied
    assert {path: path.stat().st_mtime_ns for path in copied.rglob('*')} == before


DAMAGES: dict[str, Callable[[Path], Any]] = {
    'no annotations': lambda root: (root / VAL).unlink(),
    'annotations cut off': lambda root: os.truncate(root / TRAIN, 1000),
    'an image lost': lambda root: (root / 'train/000003.png').unlink(),
    'an image empty': lambda root: (root / 'val/000003.png').write_bytes(b''),
    'parts alone': lambda root: (
        shutil.rmtree(root / 'val'),
        shutil.rmtree(root / 'annotations'),
        (root / 'train/000011.png').write_bytes(b'\x89PNG'),
    ),
    'temporary files': lambda root: (
        (root / 'annotations/.instances_val.json.tmp').write_text('{'),
        (root / 'annotations/instances_train.json.part').write_text('{'),
        (root / VAL).unlink(),
    ),
    'more images': lambda root: make(root, num_val=9, seed=1),
}


@pytest.mark.parametrize('damage', DAMAGES)
def test_damaged_or_other_set_is_made_anew(
    small: Path, copied: Path, damage: str
) -> None:
    DAMAGES[damage](copied)
    assert make(copied).created
    assert hashes(copied) == hashes(small)


@pytest.mark.parametrize('step', ['draw_image', 'write_atomically'])
def test_interrupted_making_is_taken_up(
    small: Path, copied: Path, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    """Also in the place of a set of other options, whose annotations go first."""
    make(copied, seed=1)
    original = getattr(making, step)
    calls = []

    def interrupted(*args: Any) -> Any:
        calls.append(args)
        if len(calls) == 2:
            raise KeyboardInterrupt
        return original(*args)

    with monkeypatch.context() as patch:
        patch.setattr(making, step, interrupted)
        with pytest.raises(KeyboardInterrupt):
            make(copied)
    assert not (copied / VAL).exists()
    assert make(copied).created
    assert hashes(copied) == hashes(small)


@pytest.mark.parametrize(
    'name', ['notes.txt', 'train/mine.png', 'annotations/.tmp', 'val/more/000000.png']
)
def test_foreign_file_is_refused(copied: Path, name: str) -> None:
    (copied / name).parent.mkdir(exist_ok=True)
    (copied / name).write_text('mine')
    before = hashes(copied)
    with pytest.raises(FileExistsError, match='made by this tool; move it away'):
        make(copied, num_val=7)
    assert hashes(copied) == before


def test_places_of_someone_else_are_refused(tmp_path: Path) -> None:
    """Even where the files have this set's names; an empty folder is used."""
    (tmp_path / 'train').mkdir()
    mine = tmp_path / 'train/000001.png'
    mine.write_text('mine')
    with pytest.raises(FileExistsError, match="holds 'train'"):
        make(tmp_path)
    with pytest.raises(FileExistsError, match='000001.png exists and is not a folder'):
        make(mine)
    assert mine.read_text() == 'mine'
    (tmp_path / 'new').mkdir()
    assert make(str(tmp_path / 'new')).created
