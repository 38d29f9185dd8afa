"""Writes a few images as the files of CIFAR, Fashion-MNIST and ImageNet have them."""

import hashlib
import pickle
from pathlib import Path

import cv2
import numpy as np
from mmpretrain.datasets import CIFAR10, CIFAR100

CLASSES = [f'n0{1440764 + i}' for i in range(6)]
"""The folders of ImageNet's images."""


def write_cifar(folder: Path, dataset: type[CIFAR10]) -> list[list[list[str]]]:
    """Write 10 training and 8 test images.

    Returns:
        The data set's ``train_list`` and ``test_list``, with these files' check sums.
    """
    rng = np.random.default_rng(0)
    key = 'fine_labels' if dataset is CIFAR100 else 'labels'
    (folder / dataset.base_folder).mkdir(parents=True)
    lists = []
    for files, total in ((dataset.train_list, 10), (dataset.test_list, 8)):
        lists.append([])
        for file, _ in files:
            number = total // len(files)
            images = rng.integers(0, 256, (number, 3072)).astype(np.uint8)
            labels = rng.integers(0, len(dataset.METAINFO['classes']), number).tolist()
            content = pickle.dumps({'data': images, key: labels}, protocol=2)
            (folder / dataset.base_folder / file).write_bytes(content)
            lists[-1].append([file, hashlib.md5(content).hexdigest()])
    return lists


def write_fashion_mnist(root: Path) -> None:
    """Write 12 training and 8 test images: magic number, sizes, values."""
    rng = np.random.default_rng(0)
    root.mkdir(parents=True)
    for split, number in (('train', 12), ('t10k', 8)):
        images = rng.integers(0, 256, (number, 28, 28))
        for name, values in (
            ('images-idx3', images),
            ('labels-idx1', np.arange(number) % 10),
        ):
            sizes = np.array([0x800 + values.ndim, *values.shape], '>i4')
            content = sizes.tobytes() + values.astype(np.uint8).tobytes()
            (root / f'{split}-{name}-ubyte').write_bytes(content)


def write_imagenet(root: Path) -> None:
    """Write six classes' folders of two training images and one to validate."""
    rng = np.random.default_rng(0)
    for split, number in (('train', 2), ('val', 1)):
        for label, synset in enumerate(CLASSES):
            folder = root / split / synset
            folder.mkdir(parents=True)
            for i in range(number):
                image = rng.integers(0, 40, (80, 90, 3)) + 35 * label
                path = folder / f'{synset}_{i}.JPEG'
                cv2.imwrite(str(path), image.astype(np.uint8))
