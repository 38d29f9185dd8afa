"""The bundled digits detection set: what is in it, and how it is made and remade."""

import hashlib
import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from mmdet.registry import DATASETS
from PIL import Image
from pycocotools.coco import COCO

from mmsnn.datasets import make_digits_detection
from mmsnn.datasets.digits import making
from mmsnn.datasets.digits.making import divide_digits, load_materials

SMALL: dict[str, Any] = {'num_train': 12, 'num_val': 6}
SPLITS = ('train', 'val')
CHECKSUMS = {
    'train': '9a2af6b37263c49b710b82bd6df9ceb605761c65774b041d23eb27ec4b5e3319',
    'val': 'b1befd469b431798b41c8e5169d56b35b0dc72cf4dbff5be7ad0cb2113bb473c',
}


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
    """A set with few training images; not to be changed."""
    root = tmp_path_factory.mktemp('digits') / 'set'
    make_digits_detection(root, num_train=60, num_val=60)
    return root


@pytest.fixture
def copied(made: Path, tmp_path: Path) -> Path:
    """The same set, to be changed."""
    return Path(shutil.copytree(made, tmp_path / 'copy'))


def test_same_options_give_the_same_bytes(tmp_path: Path) -> None:
    make_digits_detection(tmp_path / 'a', **SMALL)
    make_digits_detection(tmp_path / 'b', **SMALL)
    assert hashes(tmp_path / 'a') == hashes(tmp_path / 'b')
    assert len(hashes(tmp_path / 'a')) == 12 + 6 + 2 + 1


def test_the_content_is_pinned(made: Path) -> None:
    """Another generator needs another ``_VERSION``, and other checksums here."""
    for split, checksum in CHECKSUMS.items():
        content = hashlib.sha256()
        for path in sorted((made / split).iterdir()):
            # the pixels: their compression depends on Pillow's zlib
            content.update(np.asarray(Image.open(path)).tobytes())
        content.update(json.dumps(annotations(made, split)['annotations']).encode())
        assert content.hexdigest() == checksum, split


def test_progress_is_shown_in_a_terminal(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for terminal in ('0', '1'):
        monkeypatch.setenv('TTY_COMPATIBLE', terminal)
        make_digits_detection(tmp_path / terminal, num_train=2, num_val=1)
        out, err = capsys.readouterr()
        assert not out
        assert ('val images' in err and '100%' in err) == (terminal == '1')


def test_another_seed_gives_other_images(tmp_path: Path) -> None:
    make_digits_detection(tmp_path / 'a', **SMALL)
    make_digits_detection(tmp_path / 'b', **SMALL, seed=1)
    first, second = hashes(tmp_path / 'a'), hashes(tmp_path / 'b')
    images = [name for name in first if name.endswith('.png')]
    assert all(first[name] != second[name] for name in images)


def test_no_image_depends_on_how_many_others_there_are(
    made: Path, tmp_path: Path
) -> None:
    make_digits_detection(tmp_path / 'set', num_train=5, num_val=60)
    few, many = hashes(tmp_path / 'set'), hashes(made)
    val = [name for name in many if 'val' in name]
    train = [f'train/{i:06d}.png' for i in range(5)]
    assert all(few[name] == many[name] for name in train + val)
    assert {name for name in few if 'val' in name} == set(val)


def test_splits_share_no_digit(made: Path) -> None:
    from sklearn.datasets import load_digits

    labels = load_digits().target
    pools = divide_digits(labels, seed=0)
    assert sorted(np.concatenate(list(pools.values()))) == list(range(1797))
    for split in SPLITS:
        items = annotations(made, split)['annotations']
        assert {item['source_index'] for item in items} <= set(pools[split])
        for item in items:
            assert item['category_id'] == labels[item['source_index']] + 1
    for label in range(10):
        share = np.mean(labels[pools['val']] == label)
        assert share == pytest.approx(np.mean(labels == label), abs=0.005)
    assert set(pools['val']) != set(divide_digits(labels, seed=1)['val'])


def test_splits_share_no_part_of_a_photograph() -> None:
    from sklearn.datasets import load_sample_images

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
    content = annotations(made, split)
    counts = {image['id']: 0 for image in content['images']}
    boxes: dict[int, list[list[int]]] = {number: [] for number in counts}
    for item in content['annotations']:
        counts[item['image_id']] += 1
        boxes[item['image_id']].append(item['bbox'])
    assert set(counts.values()) == {1, 2, 3, 4, 5, 6}
    for group in boxes.values():
        covered = np.zeros((128, 128), dtype=int)
        for x, y, width, height in group:
            covered[y : y + height, x : x + width] += 1
        assert covered.max() == 1


def test_every_size_class_is_in_both_splits(made: Path) -> None:
    summary = make_digits_detection(made, num_train=60, num_val=60)
    for split in SPLITS:
        areas = [item['area'] for item in annotations(made, split)['annotations']]
        counts = summary.splits[split]
        assert counts.objects == len(areas) and counts.images == 60
        assert counts.small == sum(area < 32**2 for area in areas) >= 30
        assert counts.medium == sum(32**2 <= area <= 96**2 for area in areas) >= 20
        assert counts.large == sum(area > 96**2 for area in areas) >= 8
        heights = [item['bbox'][3] for item in annotations(made, split)['annotations']]
        assert min(heights) >= 16


@pytest.mark.parametrize(('image_size', 'max_objects'), [(112, 1), (300, 9)])
def test_size_and_most_objects_are_options(
    tmp_path: Path, image_size: int, max_objects: int
) -> None:
    options = {'num_train': 20, 'num_val': 1, 'image_size': image_size}
    made = make_digits_detection(tmp_path / 'set', **options, max_objects=max_objects)
    content = annotations(tmp_path / 'set', 'train')
    numbers = [item['image_id'] for item in content['annotations']]
    assert np.bincount(numbers).max() == max_objects
    assert all(image['width'] == image_size for image in content['images'])
    assert made.splits['train'].large > 0


def test_complete_set_is_left_alone(copied: Path) -> None:
    before = {path: path.stat().st_mtime_ns for path in copied.rglob('*')}
    summary = make_digits_detection(copied, num_train=60, num_val=60)
    assert not summary.created
    assert summary.out_dir == copied
    assert {path: path.stat().st_mtime_ns for path in copied.rglob('*')} == before


def delete_annotations(root: Path) -> None:
    (root / 'annotations/instances_val.json').unlink()


def truncate_annotations(root: Path) -> None:
    path = root / 'annotations/instances_train.json'
    path.write_text(path.read_text()[:1000])


def lose_an_image(root: Path) -> None:
    (root / 'train/000003.png').unlink()


def empty_an_image(root: Path) -> None:
    (root / 'val/000003.png').write_bytes(b'')


def leave_parts(root: Path) -> None:
    shutil.rmtree(root / 'val')
    shutil.rmtree(root / 'annotations')
    (root / 'train/000059.png').write_bytes(b'\x89PNG')


def leave_temporary_files(root: Path) -> None:
    for name in ('.instances_val.json.tmp', 'instances_train.json.part'):
        (root / 'annotations' / name).write_text('{')
    delete_annotations(root)


@pytest.mark.parametrize(
    'damage',
    [
        delete_annotations,
        truncate_annotations,
        lose_an_image,
        empty_an_image,
        leave_parts,
        leave_temporary_files,
    ],
)
def test_damaged_set_is_made_anew(made: Path, copied: Path, damage: Any) -> None:
    damage(copied)
    assert make_digits_detection(copied, num_train=60, num_val=60).created
    assert hashes(copied) == hashes(made)


@pytest.mark.parametrize('step', ['draw_image', 'write_atomically'])
def test_interrupted_making_is_taken_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    make_digits_detection(tmp_path / 'whole', **SMALL)
    # Remaking a set with other options must not leave the old one's annotations.
    make_digits_detection(tmp_path / 'set', **SMALL, seed=1)
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
            make_digits_detection(tmp_path / 'set', **SMALL)
    assert not (tmp_path / 'set/annotations/instances_val.json').exists()
    assert make_digits_detection(tmp_path / 'set', **SMALL).created
    assert hashes(tmp_path / 'set') == hashes(tmp_path / 'whole')


def test_other_options_replace_all_files(tmp_path: Path) -> None:
    make_digits_detection(tmp_path / 'set', num_train=12, num_val=9, seed=1)
    make_digits_detection(tmp_path / 'new', **SMALL)
    assert make_digits_detection(tmp_path / 'set', **SMALL).created
    assert hashes(tmp_path / 'set') == hashes(tmp_path / 'new')


@pytest.mark.parametrize(
    'name', ['notes.txt', 'train/mine.png', 'annotations/.tmp', 'val/more/000000.png']
)
def test_foreign_file_is_refused(copied: Path, name: str) -> None:
    (copied / name).parent.mkdir(exist_ok=True)
    (copied / name).write_text('mine')
    before = hashes(copied)
    with pytest.raises(FileExistsError, match='made by this tool; move it away'):
        make_digits_detection(copied, **SMALL)
    assert hashes(copied) == before


def test_folder_of_someone_else_is_refused(tmp_path: Path) -> None:
    """Even where its files have this set's names."""
    (tmp_path / 'train').mkdir()
    (tmp_path / 'train/000001.png').write_text('mine')
    with pytest.raises(FileExistsError, match="holds 'train'"):
        make_digits_detection(tmp_path, **SMALL)
    assert (tmp_path / 'train/000001.png').read_text() == 'mine'


def test_file_in_place_of_the_folder_is_refused(tmp_path: Path) -> None:
    (tmp_path / 'set').write_text('mine')
    with pytest.raises(FileExistsError, match='set exists and is not a folder'):
        make_digits_detection(tmp_path / 'set', **SMALL)


def test_empty_folder_is_used(tmp_path: Path) -> None:
    assert make_digits_detection(str(tmp_path), **SMALL).created


@pytest.mark.parametrize(
    ('options', 'error', 'message'),
    [
        ({'num_train': 0}, ValueError, 'num_train must be from 1 to 100000, but got 0'),
        ({'num_val': -1}, ValueError, 'num_val must be from 1 to 100000, but got -1'),
        ({'image_size': 64}, ValueError, 'image_size must be from 112 to 1024, .* 64'),
        ({'image_size': 2000}, ValueError, 'from 112 to 1024, but got 2000'),
        ({'seed': -1}, ValueError, 'seed must be from 0 to 4294967295, but got -1'),
        ({'max_objects': 0}, ValueError, 'max_objects must be from 1 to 20, but got 0'),
        ({'seed': 1.0}, TypeError, r'seed must be an integer, but got 1.0 \(float\)'),
        ({'num_val': True}, TypeError, 'num_val must be an integer, but got True'),
        ({'out_dir': 3}, TypeError, r'out_dir must be a path, but got 3 \(int\)'),
        ({'out_dir': ''}, ValueError, 'out_dir must name a folder, but it is empty'),
    ],
)
def test_wrong_option(
    tmp_path: Path, options: dict[str, Any], error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message):
        make_digits_detection(**{'out_dir': tmp_path / 'set', **SMALL, **options})
    assert not (tmp_path / 'set').exists()


@pytest.mark.parametrize('split', SPLITS)
def test_mmdetection_loads_it(made: Path, split: str) -> None:
    config = {
        'type': 'mmsnn.DigitsDetectionDataset',
        'data_root': str(made),
        'ann_file': f'annotations/instances_{split}.json',
        'data_prefix': {'img': f'{split}/'},
        'pipeline': [
            {'type': 'mmdet.LoadImageFromFile'},
            {'type': 'mmdet.LoadAnnotations', 'with_bbox': True},
            {'type': 'mmdet.PackDetInputs'},
        ],
    }
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
