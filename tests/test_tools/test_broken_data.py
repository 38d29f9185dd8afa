"""Broken images and annotations, as a user of the tools meets them."""

import json
from pathlib import Path

import pytest

from .tiny_coco import ANN, SMALL, Call, Fail, write_coco

TRAIN = 'data/coco/train2017/000000000010.jpg'
VAL = 'data/coco/val2017/000000000140.jpg'


@pytest.fixture
def own_coco(folder: Path) -> Path:
    """A current folder with a data set of its own, to be broken."""
    write_coco(folder / 'data' / 'coco')
    return folder


def test_an_image_is_skipped_in_training_and_named_in_validation(
    own_coco: Path, call_tool: Call, capfd: pytest.CaptureFixture[str]
) -> None:
    Path(TRAIN).write_bytes(b'')
    Path(VAL).write_bytes(Path(VAL).read_bytes()[:300])
    with pytest.raises(SystemExit) as stop:
        call_tool(
            *('train.py', ANN, '--skip-broken', 1, '--work-dir', 'work'),
            *('--cfg-options', *SMALL, 'train_dataloader.num_workers=1'),
        )
    assert stop.value.code == 2
    *others, skipped, failed = capfd.readouterr().err.strip().splitlines()
    assert not any('Traceback' in line for line in others)
    assert skipped == (
        'warning: 1 training images could not be read and were skipped: '
        f'{TRAIN} (listed in work/broken_images.txt)'
    )
    assert failed.startswith(f"error: image '{VAL}' cannot be decoded: ")
    assert Path('work/epoch_1.pth').is_file()


@pytest.mark.parametrize(
    ('tool', 'options'),
    [('train', []), ('test', ['x.pth']), ('browse_dataset', ['--phase', 'val'])],
)
def test_a_malformed_file(
    own_coco: Path, fail_tool: Fail, tool: str, options: list[str]
) -> None:
    path = Path('data/coco/annotations/instances_val2017.json')
    content = json.loads(path.read_text())
    content['annotations'][3]['bbox'] = ['1', '2', '3']
    path.write_text(json.dumps(content))
    assert fail_tool(tool, ANN, *options) == (
        f'{path}: annotations[3].bbox must be four finite numbers x, y, width, height, '
        "but got ['1', '2', '3']"
    )
