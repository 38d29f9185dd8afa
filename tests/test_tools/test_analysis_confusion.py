"""tools/analysis_tools/confusion_matrix.py on predictions made by hand."""

import json
import math
from pathlib import Path
from typing import Any

import mmengine
import numpy as np
import pytest
import torch
from PIL import Image

from mmsnn.datasets import make_digits_detection
from mmsnn.evaluation.confusion_matrix import detect
from mmsnn.reporting.confusion_plot import draw
from mmsnn.utils.errors import UserError

from .mistaken_files import label_of
from .tiny_coco import ATTENTIVE as DIGITS
from .tiny_coco import DETECTOR, Call, Fail

TOOL = 'confusion_matrix'
pytestmark = pytest.mark.usefixtures('folder')


def dump(content: Any, name: str = 'predictions.pkl') -> str:
    # as the metric behind tools/test.py --out
    mmengine.dump(content, name)
    return name


def matrix() -> np.ndarray:
    assert Image.open('out/confusion_matrix.png').width > 400
    return np.array(json.loads(Path('out/confusion_matrix.json').read_text())['matrix'])


def found(image: int, *objects: tuple[list[float], int, float]) -> dict[str, Any]:
    """What is dumped of an image: boxes [x, y, w, h], labels and scores."""
    boxes, labels, scores = zip(*objects, strict=True) if objects else ((), (), ())
    corners = torch.tensor(boxes, dtype=torch.float).reshape(-1, 4)
    corners[:, 2:] += corners[:, :2]
    instances = dict(
        bboxes=corners,
        labels=torch.tensor(labels, dtype=torch.long),
        scores=torch.tensor(scores, dtype=torch.float),
    )
    return dict(img_id=image, pred_instances=instances)


def test_confusion_of_a_classifier(call_tool: Call) -> None:
    pairs = [(0, 0), (0, 0), (3, 8), (3, 8), (3, 3), (9, 1)]
    predictions = dump([label_of(*pair) for pair in pairs])
    printed = call_tool(TOOL, DIGITS, predictions, 'out').out
    expected = np.zeros((10, 10), int)
    np.add.at(expected, tuple(zip(*pairs, strict=True)), 1)
    assert (matrix() == expected).all()
    assert '3 of 6 are classified correctly\n' in printed
    lines = [line.split() for line in printed.splitlines() if '->' in line][1:]
    assert lines == [['2', '3', '->', '8'], ['1', '9', '->', '1']]


def test_confusion_of_a_detector(call_tool: Call, fail_tool: Fail) -> None:
    make_digits_detection(num_train=1, num_val=3)
    path = Path('data/digits_detection/annotations/instances_val.json')
    content = json.loads(path.read_text())
    # an object each: of 0, of 1, and one to be ignored
    box = [20.0, 20.0, 40.0, 40.0]
    images = [image['id'] for image in content['images']]
    content['annotations'] = [
        dict(
            id=i + 1, image_id=image, category_id=content['categories'][i]['id'],
            bbox=box, area=1600, iscrowd=int(i == 2),
        )
        for i, image in enumerate(images)
    ]  # fmt: skip
    path.write_text(json.dumps(content))
    shifted = [22.0, 20.0, 40.0, 40.0]
    predictions = [
        # of two on the object the surer one counts, though it overlaps less
        found(images[0], (shifted, 7, 0.9), (box, 0, 0.8), ([90, 90, 20, 20], 5, 0.6)),
        found(images[1], (box, 1, 0.1), (shifted, 4, 0.2)),
        found(images[2], ([30, 30, 5, 5], 3, 0.9)),
    ]
    printed = call_tool(TOOL, DETECTOR, dump(predictions), 'out').out
    places = {tuple(place) for place in np.argwhere(matrix())}
    assert places == {(0, 7), (10, 0), (10, 5), (1, 10)}
    assert (
        '0 of 2 are classified correctly, 1 are missed, 2 are false alarms' in printed
    )

    low = ['--score-thr', 0.05, '--tp-iou-thr', 0.96]
    call_tool(TOOL, DETECTOR, 'predictions.pkl', 'out', *low)
    assert matrix()[[0, 1], [0, 1]].tolist() == [1, 1]
    # the same box twice in a class: suppressed
    predictions[0] = found(images[0], (box, 0, 0.9), (shifted, 0, 0.8))
    once = ['--nms-iou-thr', 0.7]
    call_tool(TOOL, DETECTOR, dump(predictions), 'out', *once)
    assert matrix()[[0, 10], [0, 0]].tolist() == [1, 0]

    del predictions[1]
    line = fail_tool(TOOL, DETECTOR, dump(predictions), 'out')
    assert f'there is no prediction for image {images[1]}' in line
    predictions.insert(1, found(images[1], (box, 10, 0.9)))
    line = fail_tool(TOOL, DETECTOR, dump(predictions), 'out')
    assert 'have class 10, but the data set has 10' in line


def test_large_matrix_has_no_numbers() -> None:
    small = draw(np.eye(3, dtype=int), list('abc'), 'viridis').axes[0]
    assert [text.get_text() for text in small.texts] == ['100', '100', '100']
    assert [label.get_text() for label in small.get_xticklabels()] == list('abc')
    large = draw(np.eye(30, dtype=int), [f'c{i}' for i in range(30)], 'viridis').axes[0]
    assert not large.texts
    assert large.get_xticklabels()[29].get_text() == 'c29'


@pytest.mark.parametrize('key', ['bboxes', 'labels', 'scores'])
def test_predictions_that_lack_a_key(key: str) -> None:
    prediction = found(3)
    del prediction['pred_instances'][key]
    info = dict(img_id=3, instances=[])
    with pytest.raises(UserError, match=f'{key} of image 3 are missing'):
        detect([prediction], [info], 10, score_thr=0.3, iou_thr=0.5)


@pytest.mark.parametrize(
    ('key', 'predicted'),
    [
        ('scores', ([0.0, 0, 9, 9], 1, math.nan)),
        ('bboxes', ([0.0, math.inf, 9, 9], 1, 0.9)),
    ],
)
def test_predictions_that_are_not_finite(key: str, predicted: Any) -> None:
    info = dict(img_id=3, instances=[dict(bbox=[0, 0, 9, 9], bbox_label=1)])
    with pytest.raises(UserError, match=f'{key} predicted for image 3'):
        detect([found(3, predicted)], [info], 10, score_thr=0.3, iou_thr=0.5)
