"""Images that cannot be read: named in one line, never decoded to death, skipped."""

import io
import os
import struct
import zlib
from collections.abc import Callable
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import mmcv
import numpy as np
import pytest
from mmengine.dataset import (
    BaseDataset,
    Compose,
    ConcatDataset,
    RepeatDataset,
    pseudo_collate,
)
from mmengine.registry import DATASETS
from mmpretrain.datasets import CustomDataset
from PIL import Image
from torch.utils.data import DataLoader

from mmsnn.datasets.guarded_pipeline import (
    BrokenImages,
    GuardedPipeline,
    find_image_problem,
    guard_dataset,
)
from mmsnn.utils.errors import UserError

FORMATS = {'JPEG': 'jpg', 'PNG': 'png', 'BMP': 'bmp', 'WEBP': 'webp', 'TIFF': 'tif'}


def encode(width: int, height: int, kind: str = 'PNG') -> bytes:
    ramp = np.arange(height * width * 3, dtype=np.uint32) % 251
    stream = io.BytesIO()
    Image.fromarray(ramp.astype(np.uint8).reshape(height, width, 3)).save(stream, kind)
    return stream.getvalue()


def png_header(width: int, height: int) -> bytes:
    """Return a PNG that announces a size and holds nothing."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        checksum = zlib.crc32(kind + data)
        return struct.pack('>I', len(data)) + kind + data + struct.pack('>I', checksum)

    header = struct.pack('>IIBBBBB', width, height, 8, 2, 0, 0, 0)
    chunks = chunk(b'IHDR', header) + chunk(b'IDAT', b'') + chunk(b'IEND', b'')
    return b'\x89PNG\r\n\x1a\n' + chunks


@DATASETS.register_module()
class ImagesOf(BaseDataset):
    """The files of the current folder, sorted by name."""

    def load_data_list(self) -> list[dict[str, Any]]:
        return [dict(img_path=path.name) for path in sorted(Path().iterdir())]


PIPELINE = [
    dict(type='LoadImageFromFile'),
    dict(type='Resize', scale=(32, 32), keep_ratio=True),
]


def make_dataset(broken: BrokenImages | None = None, **options: Any) -> BaseDataset:
    pipeline = [mmcv.transforms.TRANSFORMS.build(step) for step in PIPELINE]
    dataset = ImagesOf(pipeline=pipeline, serialize_data=False, **options)
    guard_dataset(dataset, broken)
    return dataset


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of images, which is the current one."""
    (tmp_path / 'images').mkdir()
    monkeypatch.chdir(tmp_path / 'images')
    return tmp_path / 'images'


def write_images(count: int, *broken: int) -> None:
    for index in range(count):
        content = b'not an image' if index in broken else encode(40, 30)
        Path(f'{index:02d}.png').write_bytes(content)


def message_of(index: int = 0) -> str:
    with pytest.raises(UserError) as caught:
        make_dataset()[index]
    message = str(caught.value)
    assert len(message.splitlines()) == 1
    return message


# Kinds of broken images ---------------------------------------------------------------


@pytest.mark.filterwarnings('ignore:Corrupt EXIF data')
@pytest.mark.parametrize('kind', FORMATS)
def test_truncated(kind: str) -> None:
    name = f'a.{FORMATS[kind]}'
    whole = encode(60, 40, kind)
    Path(name).write_bytes(whole)
    assert make_dataset()[0]['img'].shape == (21, 32, 3)
    for left in (0, 10, 30, len(whole) // 2, int(0.9 * len(whole))):
        Path(name).write_bytes(whole[:left])
        problem = 'cannot be decoded: ' if left else 'is empty'
        assert message_of().startswith(f"image '{name}' {problem}")


CONTENTS: dict[str, tuple[bytes, str]] = {
    'text': (b'hello', 'cannot be decoded'),
    'html': (b'<!DOCTYPE html><html>404</html>', 'cannot be decoded'),
    'zeros': (bytes(1000), 'cannot be decoded'),
    'lfs pointer': (b'version https://git-lfs.github.com/spec/v1\n', 'cannot be'),
    'corrupt': (encode(60, 40)[:60] + bytes(200), 'cannot be decoded'),
    'nothing in it': (png_header(60, 40), 'cannot be decoded'),
    'of no width': (png_header(0, 40), 'cannot be decoded'),
    '900 million pixels': (png_header(30_000, 30_000), 'has more than 178,956,970 pix'),
    '2**62 pixels': (png_header(2**31 - 1, 2**31 - 1), 'has more than 178,956,970 pix'),
    '1 x 300': (encode(1, 300), '(1x300 pixels) cannot be prepared'),
    '300 x 1': (encode(300, 1), '(300x1 pixels) cannot be prepared'),
}
NO_FILES: dict[str, tuple[Callable[[Path], Any], str]] = {
    'fifo': (os.mkfifo, 'is not a file'),
    'folder': (Path.mkdir, 'is not a file'),
    'device': (lambda path: path.symlink_to('/dev/zero'), 'is not a file'),
    'dangling': (lambda path: path.symlink_to('nowhere'), 'does not exist'),
    'loop': (lambda path: path.symlink_to(path), 'cannot be read: Too many levels'),
}


@pytest.mark.parametrize('name', [*CONTENTS, *NO_FILES])
def test_broken(name: str) -> None:
    if name in CONTENTS:
        content, problem = CONTENTS[name]
        Path('a.png').write_bytes(content)
    else:
        make, problem = NO_FILES[name]
        make(Path('a.png'))
    message = message_of()
    assert message.startswith("image 'a.png' ")
    assert problem in message


def test_names_of_no_file() -> None:
    assert 'does not exist' in find_image_problem('none.png')
    assert 'null' in find_image_problem('a\0b')
    assert 'too long' in find_image_problem('a' * 300)


def test_images_that_are_good() -> None:
    """Also symlinks, tiny ones, and ones whose suffix is of another format."""
    Path('a.png').write_bytes(encode(40, 30))
    Path('b.png').symlink_to('a.png')
    Path('c.jpg').write_bytes(encode(1, 1))
    Path('d.png').write_bytes(encode(30, 40, 'JPEG'))
    dataset = make_dataset()
    shapes = [dataset[index]['img'].shape[:2] for index in range(4)]
    assert shapes == [(24, 32), (24, 32), (32, 32), (32, 24)]


def test_samples_without_a_file() -> None:
    pipeline = GuardedPipeline(Compose([lambda data: 1 / data['a']]))
    assert pipeline(dict(a=2)) == 0.5
    with pytest.raises(ZeroDivisionError):
        pipeline(dict(a=0))


# Wrapped data sets -------------------------------------------------------------------


@pytest.mark.parametrize(
    'wrap',
    [
        lambda inner: RepeatDataset(inner, times=2),
        lambda inner: ConcatDataset([inner, ImagesOf(pipeline=[])]),
    ],
)
def test_wrapped_data_sets(wrap: Callable[[BaseDataset], Any]) -> None:
    write_images(2, 1)
    dataset = wrap(ImagesOf(pipeline=make_dataset().pipeline.transforms))
    guard_dataset(dataset)
    assert dataset[0]['img'].shape == (24, 32, 3)
    with pytest.raises(UserError, match=r"^image '01\.png' cannot be decoded"):
        dataset[1]


def test_data_sets_of_classifiers() -> None:
    for name in 'ab':
        Path(name).mkdir()
        Path(name, '0.png').write_bytes(encode(40, 30))
    Path('b', '0.png').write_bytes(b'')
    loader = mmcv.transforms.LoadImageFromFile()
    dataset = CustomDataset(data_root='.', pipeline=[loader], serialize_data=False)
    guard_dataset(dataset)
    assert dataset[0]['img'].shape == (30, 40, 3)
    with pytest.raises(UserError, match=r"b/0\.png' is empty$"):
        dataset[1]


# Skipping -----------------------------------------------------------------------------


def load_all(dataset: Any, num_workers: int = 0) -> list[str]:
    context = 'fork' if num_workers else None
    options = dict(collate_fn=pseudo_collate, multiprocessing_context=context)
    loader = DataLoader(dataset, num_workers=num_workers, **options)
    return [name for batch in loader for name in batch['img_path']]


def test_skipping(tmp_path: Path) -> None:
    write_images(6, 1, 4)
    broken = BrokenImages(tmp_path / 'new' / 'broken.txt', 2)
    for workers in (0, 1):
        broken.clear()
        assert broken.names() == []
        names = load_all(make_dataset(broken), workers)
        assert len(names) == 6
        assert not {'01.png', '04.png'} & set(names)
        assert sorted(broken.names()) == ['01.png', '04.png']


def test_one_too_many(tmp_path: Path) -> None:
    write_images(6, 0, 3, 4)
    broken = BrokenImages(tmp_path / 'broken.txt', 2)
    with pytest.raises(UserError) as caught:
        load_all(make_dataset(broken))
    message = str(caught.value)
    assert message.startswith("image '0")
    assert '; 2 others, as many as allowed, have been skipped: ' in message
    assert f'{tmp_path}/broken.txt lists them' in message
    assert len(broken.names()) == 2


def test_nothing_is_skipped_in_tests(tmp_path: Path) -> None:
    write_images(3, 1)
    broken = BrokenImages(tmp_path / 'broken.txt', 2)
    with pytest.raises(UserError, match=r'^image .01\.png'):
        load_all(make_dataset(broken, test_mode=True))
    assert broken.names() == []


def _add(broken: BrokenImages, offset: int) -> None:
    for index in range(20):
        broken.add(f'{(index + offset) % 20}\n.png')


def test_processes_share_the_list(tmp_path: Path) -> None:
    broken = BrokenImages(tmp_path / 'broken.txt', 15)
    context = get_context('fork')
    processes = [context.Process(target=_add, args=(broken, 5 * i)) for i in range(3)]
    for process in processes:
        process.start()
    for process in processes:
        process.join()
        assert process.exitcode == 0
    assert len(broken.names()) == len(set(broken.names())) == 15
