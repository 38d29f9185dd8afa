"""The configs that a machine without a GPU trains: digits and Fashion-MNIST."""

from pathlib import Path

import numpy as np
import pytest
from mmengine.config import Config
from mmengine.registry import MODELS, DefaultScope
from torch import nn

from mmsnn.models import FAMILIES, DirectStem, GatedAttentionStem
from test_configs import files
from test_configs.files import CONFIGS
from test_configs.runs import images, train_and_test

PATHS = sorted(
    path
    for name in ('digits', 'fashion_mnist')
    for path in (CONFIGS / name).glob('*.py')
)

# Beginning of a config's name -> family, decoder, stem.
NETWORKS = {
    'sg-r10-asd': ('SG-BSG', 'ASD', DirectStem),
    'sew-add-r10-rate': ('SEW-ADD', 'Rate', DirectStem),
    'danet-a-r10-rate': ('DANet-A', 'Rate', DirectStem),
    'gac-ms-r10-rate': ('MS', 'Rate', GatedAttentionStem),
}


def name_of(path: Path) -> str:
    return path.stem


def write_idx(path: Path, values: np.ndarray) -> None:
    """Write bytes as MNIST's files have them: magic number, sizes, values."""
    sizes = np.array([0x800 + values.ndim, *values.shape], '>i4')
    path.write_bytes(sizes.tobytes() + values.astype(np.uint8).tobytes())


@pytest.fixture(scope='module')
def fashion(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Fashion-MNIST's files with 12 training and 8 test images."""
    root = tmp_path_factory.mktemp('fashion_mnist')
    rng = np.random.default_rng(0)
    for split, number in (('train', 12), ('t10k', 8)):
        images = rng.integers(0, 256, (number, 28, 28))
        write_idx(root / f'{split}-images-idx3-ubyte', images)
        write_idx(root / f'{split}-labels-idx1-ubyte', np.arange(number) % 10)
    return root


def load(path: Path, fashion: Path, work_dir: Path) -> Config:
    """Return a config of one epoch on little data."""
    cfg = files.load(path)
    for split, number in (('train', 12), ('val', 8), ('test', 8)):
        loader = cfg[f'{split}_dataloader']
        loader.batch_size = 4
        if path.parent.name == 'fashion_mnist':
            assert loader.dataset.data_root == 'data/fashion_mnist/'
            loader.dataset.update(data_root=str(fashion), download=False)
        else:
            loader.dataset.indices = number
    cfg.merge_from_dict(
        {
            'train_cfg.max_epochs': 1,
            'work_dir': str(work_dir),
            'experiment_name': f'{path.stem}-{work_dir.name}',
            'log_level': 'WARNING',
        }
    )
    return cfg


def build(path: Path) -> tuple[Config, nn.Module]:
    cfg = files.load(path)
    with DefaultScope.overwrite_default_scope(cfg.default_scope):
        return cfg, MODELS.build(cfg.model)


@pytest.mark.parametrize('folder', ['digits', 'fashion_mnist'])
def test_there_are_four_networks(folder: str) -> None:
    names = {path.stem.split('_')[0] for path in PATHS if path.parent.name == folder}
    assert names == NETWORKS.keys()


@pytest.mark.parametrize('path', PATHS, ids=name_of)
def test_the_network_is_what_the_name_says(path: Path) -> None:
    family, decoder, stem = NETWORKS[path.stem.split('_')[0]]
    cfg, model = build(path)
    backbone = model.backbone
    assert (backbone.depth, backbone.num_steps) == (10, 4)
    assert backbone.family is FAMILIES[family]
    assert type(backbone.stem) is stem
    assert [type(d).__name__ for d in model.neck[0].decoders] == [decoder]
    assert type(model.neck[1]).__name__ == 'GlobalAveragePooling'
    assert type(model.head).__name__ == 'LinearClsHead'
    assert cfg.test_evaluator.topk == (1, 5)
    # The last epoch is reported: choosing one by its test accuracy would be cheating.
    assert 'save_best' not in cfg.default_hooks.checkpoint


@pytest.mark.parametrize('path', PATHS, ids=name_of)
def test_an_epoch_and_an_evaluation(path: Path, fashion: Path, tmp_path: Path) -> None:
    train_and_test(load(path, fashion, tmp_path))


@pytest.mark.parametrize('path', PATHS, ids=name_of)
def test_training_and_testing_take_different_images(
    path: Path, fashion: Path, tmp_path: Path
) -> None:
    cfg = load(path, fashion, tmp_path)
    assert len(images(cfg.train_dataloader)) == 12
    assert len(images(cfg.test_dataloader)) == 8
    assert images(cfg.train_dataloader).isdisjoint(images(cfg.test_dataloader))


@pytest.mark.parametrize('path', PATHS, ids=name_of)
def test_norm_of_the_images(path: Path) -> None:
    """The means and deviations are the data sets' own."""
    _, model = build(path)
    preprocessor = model.data_preprocessor
    mean, std = (
        preprocessor.mean.flatten().tolist(),
        preprocessor.std.flatten().tolist(),
    )
    if path.parent.name == 'digits':
        assert mean == pytest.approx([77.8] * 3)
        assert std == pytest.approx([95.9] * 3)
    else:
        # 0.2860 and 0.3530 of 255
        assert mean == pytest.approx([255 * 0.2860], abs=0.05)
        assert std == pytest.approx([255 * 0.3530], abs=0.05)
