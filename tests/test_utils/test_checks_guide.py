"""docs/checks.md quotes the messages as they are."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from mmcv.transforms import LoadImageFromFile, Resize
from mmengine.config import Config
from mmengine.dataset import Compose
from PIL import Image

from mmsnn.datasets.guarded_pipeline import BrokenImages, GuardedPipeline
from mmsnn.utils.errors import UserError

from . import coco_files
from .coco_files import make_config, prepare

GUIDE = Path(__file__).resolve().parents[2] / 'docs' / 'checks.md'
# Changes as `prepare` reads them, in the order of the guide.
ANNOTATIONS = """
train: del content['categories']
train: del annotations[2]['bbox']
train: images[1] = 3
train: annotations[5].update(bbox=[1, 2, nan, 4])
train: annotations[5].update(area='9')
train: annotations[1].update(category_id='10')
train: images[3].update(height=0)
train: images[1].update(id=7)
train: annotations.clear()
train: for each in annotations: each.update(category_id=99)
train: annotations[3].update(bbox=[5, 5, -3, 4])
val: annotations[3].update(id=0)
"""
SETTINGS = """
cfg: train.metainfo.classes = val.metainfo.classes = 'cat'
cfg: classes = ['cat', 'dog', 'Cow']
cfg: classes = ['dog', 'cat', 'cow']
cfg: train.metainfo = dict(CLASSES=['cat'])
cfg: val.metainfo.classes = ['dog', 'cat', 'cow']
cfg: model.bbox_head.num_classes = 80
cfg: train.data_prefix = None
cfg: train.data_prefix.img = 'empty'
other: del images[2]
other: images[2].update(file_name='other.png')
other: for each in annotations: each['bbox'][0] += 1
other: del annotations[4]['iscrowd']
other: annotations[0].update(bbox=[3, 3, 9, 9])
cfg: val.indices = 1
"""


def quoted(section: str) -> Iterator[str]:
    """Yield the messages in the table of a section."""
    text = GUIDE.read_text(encoding='utf-8')
    for line in text.partition(f'\n## {section}\n')[2].split('\n## ')[0].splitlines():
        if line.startswith('| ') and line.endswith('` |'):
            yield line.rpartition(' | `')[2].removesuffix('` |')


def message_of(cfg: Config) -> str:
    """Return the one error or warning of a config."""
    try:
        (message,) = coco_files.check(cfg)
    except UserError as error:
        message = str(error)
    return message


def test_annotations(root: Path) -> None:
    path = Path('train.json')
    path.unlink()
    path.mkdir()
    found = [message_of(make_config())]
    path.rmdir()
    for text in ('', '{"i'):
        path.write_text(text)
        found.append(message_of(make_config()))
    found += [message_of(prepare(row)) for row in ANNOTATIONS.strip().splitlines()]
    assert list(quoted('Annotations')) == found


def test_data_and_config(root: Path) -> None:
    (root / 'empty').mkdir()
    found = [message_of(prepare(row)) for row in SETTINGS.strip().splitlines()]
    assert list(quoted('Data and config')) == found


def test_images(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def read(path: str, broken: BrokenImages | None = None) -> str:
        steps = [LoadImageFromFile(), Resize((32, 32), keep_ratio=True)]
        with pytest.raises(UserError) as caught:
            GuardedPipeline(Compose(steps), broken)(dict(img_path=path))
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
