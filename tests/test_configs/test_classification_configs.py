"""The configs that a machine without a GPU trains: digits and Fashion-MNIST."""

from pathlib import Path

import pytest

from mmsnn.models import FAMILIES, DirectStem, GatedAttentionStem
from test_configs.files import CONFIGS, build, shared

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


@pytest.mark.parametrize('folder', ['digits', 'fashion_mnist'])
def test_there_are_four_networks(folder: str) -> None:
    names = {path.stem.split('_')[0] for path in PATHS if path.parent.name == folder}
    assert names == NETWORKS.keys()


@pytest.mark.parametrize('path', PATHS, ids=name_of)
def test_the_network_is_what_the_name_says(path: Path) -> None:
    family, decoder, stem = NETWORKS[path.stem.split('_')[0]]
    cfg, model = shared(path), build(shared(path))
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
def test_norm_of_the_images(path: Path) -> None:
    """The means and deviations are the data sets' own."""
    preprocessor = build(shared(path)).data_preprocessor
    mean, std = (getattr(preprocessor, name).flatten() for name in ('mean', 'std'))
    if path.parent.name == 'digits':
        assert mean.tolist() == pytest.approx([77.8] * 3)
        assert std.tolist() == pytest.approx([95.9] * 3)
    else:
        # 0.2860 and 0.3530 of 255
        assert mean.tolist() == pytest.approx([255 * 0.2860], abs=0.05)
        assert std.tolist() == pytest.approx([255 * 0.3530], abs=0.05)
