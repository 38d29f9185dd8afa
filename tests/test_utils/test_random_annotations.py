"""Random changes of an annotation file: a line, a warning, or a result."""

import json
import random
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest

from mmsnn.utils.errors import UserError

from . import coco_files
from .coco_files import INF, NAN

JUNK = (
    *(None, True, '', 'x', '7', 0, -1, 1.5, 7, 10**400, 1e30, NAN, INF, [], {}),
    *([0, 0, 0, 0], [1, 1, -5, 5], [1e9, 1, 5, 5], [{}], [[]], {'id': 7}),
)


def places(node: Any, way: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Return the paths of everything inside ``node``."""
    children = node.items() if isinstance(node, dict) else enumerate(node)
    found = []
    for key, child in children:
        found.append((*way, key))
        if isinstance(child, dict | list):
            found += places(child, (*way, key))
    return found


def mutate(seed: int) -> bytes:
    """Return a file with one or two random changes of its content or its bytes."""
    rng = random.Random(seed)
    content = coco_files.make_content()
    for _ in range(rng.randint(1, 2)):
        *way, key = rng.choice(places(content))
        node: Any = content
        for step in way:
            node = node[step]
        kind = rng.choice(['junk', 'drop', 'twice', 'swap', *['number'] * 4])
        if kind == 'number' and isinstance(node[key], int):
            node[key] += rng.choice([-60, -9.5, -1, 1, 9.5, 10, 60])
        elif kind == 'drop':
            del node[key]
        elif kind == 'twice' and isinstance(node, list):
            node.append(deepcopy(node[key]))
        elif kind == 'swap' and isinstance(node, list):
            other = rng.randrange(len(node))
            node[key], node[other] = node[other], node[key]
        else:
            node[key] = deepcopy(rng.choice(JUNK))
    written = bytearray(json.dumps(content).encode())
    if rng.random() < 0.1:
        written[rng.randrange(len(written))] = rng.randrange(256)
    if rng.random() < 0.05:
        del written[rng.randrange(len(written)) :]
    return bytes(written)


@pytest.mark.filterwarnings('error')
def test_random_changes(root: Path) -> None:
    """Each ends as a line, as a warning with counts, or as a training set as before."""
    outcomes = {'error': 0, 'warning': 0, 'result': 0}
    for seed in range(300):
        Path('train.json').write_bytes(mutate(seed))
        cfg = coco_files.make_config()
        cfg.val_evaluator.ann_file = cfg.val_dataloader.dataset.ann_file = 'train.json'
        try:
            warnings = coco_files.check(cfg)
        except UserError as error:
            assert len(str(error).splitlines()) == 1, seed
            outcomes['error'] += 1
            continue
        objects = json.loads(Path('train.json').read_text())['annotations']
        wanted = sum(not entry.get('ignore') for entry in objects)
        boxes = coco_files.count_boxes(cfg)
        dropped = [line for line in warnings if line.startswith('train_dataloader')]
        assert (boxes < wanted) == bool(dropped), seed
        assert 0 <= coco_files.evaluate(cfg) <= 1, seed
        outcomes['warning' if warnings else 'result'] += 1
    assert min(outcomes.values()) > 15, outcomes
