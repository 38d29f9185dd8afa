"""docs/checks.md quotes the messages as they are."""

import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from mmcv.transforms import LoadImageFromFile, Resize
from mmengine.dataset import Compose
from PIL import Image

from mmsnn.datasets.guarded_pipeline import BrokenImages, GuardedPipeline
from mmsnn.utils.errors import UserError

from . import coco_files

GUIDE = Path(__file__).resolve().parents[2] / 'docs' / 'checks.md'
Change = Callable[[Any], Any]


def quoted(*sections: str) -> Iterator[str]:
    """Yield the messages in the tables of some sections."""
    for part in GUIDE.read_text(encoding='utf-8').split('\n## ')[1:]:
        title, *lines = part.splitlines()
        if title in sections:
            yield from (
                line.rpartition(' | `')[2].removesuffix('` |')
                for line in lines
                if line.startswith('| ') and line.endswith('` |')
            )


@pytest.fixture(autouse=True)
def empty(root: Path) -> None:
    (root / 'empty').mkdir()


def update(section: str, index: int, **values: Any) -> Change:
    return lambda content: content[section][index].update(values)


def every(**values: Any) -> Change:
    return lambda content: [each.update(values) for each in content['annotations']]


def shift(content: Any) -> None:
    for each in content['annotations']:
        each['bbox'][0] += 1


# What is done to the content of a file, or its text, in the order of the guide.
CONTENTS: list[tuple[str, Change | str | None]] = [
    ('train', None),
    ('train', ''),
    ('train', '{"images": ['[:3]),
    ('train', lambda content: content.pop('categories')),
    ('train', lambda content: content['annotations'][2].pop('bbox')),
    ('train', lambda content: content['images'].__setitem__(1, 3)),
    ('train', update('annotations', 5, bbox=[1, 2, float('nan'), 4])),
    ('train', update('annotations', 5, area='9')),
    ('train', update('annotations', 1, category_id='10')),
    ('train', update('images', 3, height=0)),
    ('train', update('images', 1, id=7)),
    ('train', lambda content: content.update(annotations=[])),
    ('train', every(category_id=99)),
    ('train', update('annotations', 3, bbox=[5, 5, -3, 4])),
    ('val', update('annotations', 3, id=0)),
]
CLASSES = 'dataset__metainfo__classes'
BOTH = (f'train_dataloader__{CLASSES}', f'val_dataloader__{CLASSES}')
PREFIX = 'train_dataloader__dataset__data_prefix'
OTHER = dict(val_evaluator__ann_file='other.json')
# Changes of the config, and of other.json.
SETTINGS: list[tuple[dict[str, Any], Change]] = [
    (dict.fromkeys(BOTH, 'cat'), len),
    (dict.fromkeys(BOTH, ['cat', 'dog', 'Cow']), len),
    (dict.fromkeys(BOTH, ['dog', 'cat', 'cow']), len),
    (dict(train_dataloader__dataset__metainfo=dict(CLASSES=['cat'])), len),
    ({BOTH[1]: ['dog', 'cat', 'cow']}, len),
    (dict(model__bbox_head__num_classes=80), len),
    ({PREFIX: None}, len),
    ({f'{PREFIX}__img': 'empty'}, len),
    (OTHER, lambda content: content['images'].__delitem__(2)),
    (OTHER, update('images', 2, file_name='other.png')),
    (OTHER, shift),
    (OTHER, lambda content: content['annotations'][4].pop('iscrowd')),
    (OTHER, update('annotations', 0, bbox=[3, 3, 9, 9])),
    (dict(val_dataloader__dataset__indices=1), len),
]


def message_of(**settings: Any) -> str:
    """Return the one error or warning of a config."""
    try:
        (message,) = coco_files.check(coco_files.make_config(**settings))
    except UserError as error:
        message = str(error)
    return message


def message_of_file(split: str, change: Change | str | None) -> str:
    path = Path(f'{split}.json')
    content = coco_files.make_content()
    if change is None:
        path.unlink()
        path.mkdir()
    elif isinstance(change, str):
        path.write_text(change)
    else:
        change(content)
        coco_files.write(path, content)
    message = message_of()
    if change is None:
        path.rmdir()
    coco_files.write(path, coco_files.make_content())
    return message


def test_annotations() -> None:
    found = [message_of_file(*case) for case in CONTENTS]
    assert list(quoted('Annotations')) == found


def test_data_and_config() -> None:
    found = []
    for settings, change in SETTINGS:
        content = coco_files.make_content()
        change(content)
        coco_files.write(Path('other.json'), content)
        found.append(message_of(**settings))
    assert list(quoted('Data and config')) == found


def test_images(monkeypatch: pytest.MonkeyPatch) -> None:
    def read(path: str, broken: BrokenImages | None = None) -> str:
        steps = [LoadImageFromFile(), Resize((32, 32), keep_ratio=True)]
        pipeline = GuardedPipeline(Compose(steps), broken)
        with pytest.raises(UserError) as caught:
            pipeline(dict(img_path=path))
        return str(caught.value)

    path = Path('0.png')
    path.unlink()
    found = [read('0.png')]
    path.mkdir()
    found.append(read('0.png'))
    path.rmdir()
    path.touch()
    found.append(read('0.png'))
    Image.new('RGB', (1, 300)).save(path)
    with monkeypatch.context() as patch:
        patch.setattr(Image, 'MAX_IMAGE_PIXELS', 149)
        found.append(read('0.png').replace('298', '178,956,970'))
    whole = path.read_bytes()
    path.write_bytes(whole[:-20])
    found.append(read('0.png'))
    path.write_bytes(whole)
    found.append(re.sub(r'error: .*', 'error: ...', read('0.png')))
    broken = BrokenImages(Path('broken.txt'), 1)
    assert broken.add('1.png')
    found.append(read('2.png', broken))
    assert list(quoted('Images')) == found
