"""Pictures of true and predicted boxes."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from mmdet.registry import DATASETS
from mmdet.utils import register_all_modules
from PIL import Image

from mmsnn.datasets import make_digits_detection
from mmsnn.datasets.palettes import with_colors
from mmsnn.reporting import draw_detections

PIPELINE = [
    dict(type='LoadImageFromFile'),
    dict(type='LoadAnnotations', with_bbox=True),
    dict(
        type='PackDetInputs', meta_keys=('img_id', 'img_path', 'ori_shape', 'img_shape')
    ),
]
HEADER = 24


@pytest.fixture(scope='module')
def dataset(tmp_path_factory: pytest.TempPathFactory) -> Any:
    register_all_modules()
    root = tmp_path_factory.mktemp('digits')
    make_digits_detection(root, num_train=1, num_val=5)
    return DATASETS.build(
        dict(
            type='mmsnn.DigitsDetectionDataset',
            data_root=str(root),
            ann_file='annotations/instances_val.json',
            data_prefix=dict(img='val/'),
            test_mode=True,
            pipeline=PIPELINE,
        )
    )


def predict(
    dataset: Any, scores: list[float], labels: list[int] | None = None
) -> list[dict[str, Any]]:
    """Objects in one box an image, in reverse order."""
    instances = {
        'bboxes': torch.tensor([[20.0, 30.0, 60.0, 90.0]] * len(scores)),
        'labels': torch.tensor(labels or [7]),
        'scores': torch.tensor(scores),
    }
    ids = [dataset.get_data_info(i)['img_id'] for i in range(len(dataset))]
    return [{'img_id': i, 'pred_instances': instances} for i in reversed(ids)]


def test_own_classes_have_colours(dataset: Any, tmp_path: Path) -> None:
    """Twelve classes on a data set that has ten."""
    names = [f'class {i}' for i in range(12)]
    cfg = dict(type='mmsnn.DigitsDetectionDataset', lazy_init=True)
    own = DATASETS.build(cfg | dict(metainfo=dict(classes=names)))
    palette = own.metainfo['palette']
    assert palette[:10] == dataset.metainfo['palette']
    assert len(set(palette)) == 12
    predictions = predict(dataset, [0.9], [11])

    class Few(list):
        """A data set that brings too few colours itself."""

        metainfo = dict(classes=names, palette=palette[:10])

    few = Few(dataset[i] for i in range(len(dataset)))
    draw_detections(few, predictions, tmp_path, 1, 1)
    assert (tmp_path / 'overview.png').is_file()


@pytest.mark.parametrize(
    'palette', [None, 'random', (1, 2, 3), [(1, 2, 3), (4, 5, 6), (7, 8, 9)]]
)
def test_other_palettes_stay(palette: Any) -> None:
    metainfo = dict(classes=('a', 'b', 'c'), palette=palette)
    assert with_colors(metainfo) == metainfo


def test_many_classes_have_colours_of_their_own() -> None:
    names = [str(i) for i in range(500)]
    palette = with_colors(dict(classes=names, palette=((1, 2, 3),)))['palette']
    assert isinstance(palette, list) and palette[0] == (1, 2, 3)
    assert len(set(palette)) == 500
    assert all(0 <= value <= 255 for color in palette for value in color)


def halves(path: Path) -> tuple[np.ndarray, np.ndarray]:
    picture = np.asarray(Image.open(path)).astype(int)[HEADER:]
    half = picture.shape[1] // 2
    return picture[:, :half], picture[:, half:]


def test_truth_left_prediction_right(dataset: Any, tmp_path: Path) -> None:
    files = draw_detections(dataset, predict(dataset, [0.9]), tmp_path / 'a', 3, 2)
    assert [file.name for file in files] == [
        '000000_000000.png',
        '000002_000002.png',
        '000004_000004.png',
        'overview.png',
    ]
    assert Image.open(files[0]).size == (2 * 2 * 128, 2 * 128 + HEADER)

    without = draw_detections(dataset, predict(dataset, [0.1]), tmp_path / 'b', 3, 2)
    for some, none in zip(files[:-1], without[:-1], strict=True):
        truth, drawn = halves(some)
        same_truth, empty = halves(none)
        assert np.array_equal(truth, same_truth)
        assert (truth != empty).any()
        # what the prediction changed lies at its box (and its label, at the top left)
        rows, columns = np.nonzero((drawn != empty).any(-1))
        assert abs(columns.max() - 120) <= 6
        assert abs(rows.max() - 180) <= 6
        assert columns.min() >= 36 and rows.min() >= 36


@pytest.mark.parametrize(
    ('number', 'predicted', 'error', 'message'),
    [
        (6, 5, ValueError, 'num_pictures must be at most 5, the size of the data set'),
        (0, 5, ValueError, 'num_pictures must be at least 1, but got 0'),
        (2.0, 5, TypeError, 'num_pictures must be an integer'),
        (2, 2, ValueError, 'there is no prediction for image 0'),
    ],
)
def test_mistakes(
    dataset: Any, tmp_path: Path, number: Any, predicted: int, error: type, message: str
) -> None:
    with pytest.raises(error, match=message):
        draw_detections(dataset, predict(dataset, [0.9])[:predicted], tmp_path, number)


def test_images_of_equal_names(dataset: Any, tmp_path: Path) -> None:
    """Files in different folders, and one that is named like the overview."""
    paths = [tmp_path / 'a' / 'one.png', tmp_path / 'b' / 'one.png']
    paths.append(tmp_path / 'overview.png')

    class Renamed(list):
        metainfo = dataset.metainfo

    samples = Renamed(dataset[i] for i in range(3))
    for sample, path in zip(samples, paths, strict=True):
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(Path(sample['data_samples'].img_path).read_bytes())
        sample['data_samples'].set_metainfo(dict(img_path=str(path)))
    predictions = predict(dataset, [0.9])
    files = draw_detections(samples, predictions, tmp_path / 'out', 3, 1)
    assert len(set(files)) == 4
    assert {*files} == {*(tmp_path / 'out').iterdir()}


def test_the_surest_label_is_on_top(dataset: Any, tmp_path: Path) -> None:
    def draw(name: str, labels: list[int], scores: list[float]) -> np.ndarray:
        predictions = predict(dataset, scores, labels)
        return halves(draw_detections(dataset, predictions, tmp_path / name, 1)[0])[1]

    falling = draw('falling', [7, 2], [0.9, 0.6])
    assert np.array_equal(falling, draw('rising', [2, 7], [0.6, 0.9]))
    other = draw('other', [7, 2], [0.6, 0.9])
    assert not np.array_equal(falling, other)
