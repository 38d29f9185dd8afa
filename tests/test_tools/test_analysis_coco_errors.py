"""tools/analysis_tools/coco_error_analysis.py on detections made by hand."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pycocotools import mask

from .tiny_coco import Call, Fail

TOOL = 'coco_error_analysis'
# boxes of three objects
CAT, DOG, CAR = [0, 0, 100, 100], [200, 0, 100, 100], [0, 200, 100, 100]
pytestmark = pytest.mark.usefixtures('folder')


def rle(box: list[int]) -> dict[str, Any]:
    area = np.zeros((400, 400), np.uint8, order='F')
    x, y, w, h = box
    area[y : y + h, x : x + w] = 1
    code = mask.encode(area)
    return {**code, 'counts': code['counts'].decode()}


def detection(category: int, box: list[int], score: float) -> dict[str, Any]:
    return dict(
        image_id=7, category_id=category, bbox=box, score=score, segmentation=rle(box)
    )


@pytest.fixture
def annotated() -> dict[str, Any]:
    """Annotations, in ann.json, and detections, in results.json."""
    kinds = [('cat', 'animal'), ('dog', 'animal'), ('car/van', 'vehicle')]
    truth = dict(
        images=[dict(id=7, width=400, height=400, file_name='a.png')],
        categories=[
            dict(id=i, name=name, supercategory=kind)
            for i, (name, kind) in enumerate(kinds, 1)
        ],
        annotations=[
            dict(
                id=i, image_id=7, category_id=i, bbox=box, area=1e4, iscrowd=0,
                segmentation=rle(box),
            )
            for i, box in enumerate((CAT, DOG, CAR), 1)
        ],
    )  # fmt: skip
    results = [
        detection(1, DOG, 0.9),
        detection(1, CAR, 0.8),
        detection(1, [300, 300, 50, 50], 0.7),
        # of the cat's box 60 %
        detection(1, [0, 0, 100, 60], 0.6),
        detection(3, CAR, 0.5),
    ]
    Path('ann.json').write_text(json.dumps(truth))
    Path('results.json').write_text(json.dumps(results))
    return dict(truth=truth, results=results)


def test_each_kind_of_error(annotated: dict, call_tool: Call) -> None:
    types = ['--types', 'bbox', 'segm', '--extraplots']
    files = ['results.json', 'out', '--ann', 'ann.json']
    printed = call_tool(TOOL, *files, *types).out
    content = json.loads(Path('out/errors.json').read_text())
    # of the cat's 4 detections the last is right; the dog is not found
    cat = [0, 1 / 4, 1 / 4, 1 / 3, 1 / 2, 1, 1]
    dog, car = [0] * 6 + [1], [1] * 7
    everything = np.mean([cat, dog, car], axis=0).tolist()
    for kind in ('bbox', 'segm'):
        found = {
            name: list(areas['all'].values()) for name, areas in content[kind].items()
        }
        assert found == {
            'allclass': pytest.approx(everything, abs=1e-5),
            'cat': pytest.approx(cat, abs=1e-5),
            'dog': dog,
            'car/van': car,
        }
        assert set(content[kind]['dog']['small'].values()) == {None}
        assert content[kind]['car/van']['large']['C75'] == 1
        pictures = {path.name for path in Path('out', kind).iterdir()}
        names = {'allclass', 'cat', 'dog', 'car_van', 'bars'}
        assert pictures == {f'{name}.png' for name in names}
    assert 'loading' not in printed.lower()
    row = next(line for line in printed.splitlines() if line.startswith('cat '))
    assert row.split() == ['cat', 'all', *(f'{value:.3f}' for value in cat)]


@pytest.mark.parametrize('where', ['truth', 'results'])
@pytest.mark.parametrize('wrong', [None, 'abc', [], [[1, 2]], {'size': [400, 400]}, 3])
def test_masks_that_are_none(
    where: str, wrong: Any, annotated: dict, fail_tool: Fail
) -> None:
    truth, results = annotated['truth'], annotated['results']
    dict(truth=truth['annotations'], results=results)[where][1]['segmentation'] = wrong
    Path('ann.json').write_text(json.dumps(truth))
    Path('results.json').write_text(json.dumps(results))
    files = ['results.json', 'out', '--ann', 'ann.json']
    message = fail_tool(TOOL, *files, '--types', 'segm')
    assert 'segmentation must be polygons or RLE' in message
    assert ('annotations[1]' if where == 'truth' else 'detection 1') in message


def test_detections_of_polygons_alone(annotated: dict, call_tool: Call) -> None:
    for result in annotated['results']:
        x, y, w, h = result.pop('bbox')
        result['segmentation'] = [[x, y, x + w, y, x + w, y + h, x, y + h]]
    Path('results.json').write_text(json.dumps(annotated['results']))
    files = ['results.json', 'out', '--ann', 'ann.json']
    call_tool(TOOL, *files, '--types', 'segm')
    found = json.loads(Path('out/errors.json').read_text())['segm']
    assert found['car/van']['all']['C75'] == pytest.approx(1)


def test_a_similar_object_takes_one_detection(annotated: dict, call_tool: Call) -> None:
    """A second one on it is wrong, as a duplicate on an object of one's own is."""
    results = [detection(1, DOG, 0.95), *annotated['results']]
    Path('results.json').write_text(json.dumps(results))
    small = ['--areas', 10, 20, 30000, '--score-thr', 0.6]
    call_tool(TOOL, 'results.json', 'out', '--ann', 'ann.json', *small)
    found = json.loads(Path('out/errors.json').read_text())['bbox']
    assert found['cat']['all']['Sim'] == pytest.approx(1 / 4)
    assert found['cat']['all']['Oth'] == pytest.approx(1 / 3)
    # below the threshold
    assert found['car/van']['all']['BG'] == 0
