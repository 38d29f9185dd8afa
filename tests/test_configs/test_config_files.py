"""Every config: it builds, learns everywhere, and is what its name says."""

import ast
import re
from pathlib import Path
from typing import Any

import pytest
import torch
from mmdet.testing import demo_mm_inputs
from mmengine.config import Config
from mmpretrain.structures import DataSample
from torch import nn

from mmsnn.analysis import OperationCounter
from mmsnn.models.event_preprocessor import EventDetDataPreprocessor
from mmsnn.models.layers import SpikeDrivenAttention, largest_spike
from mmsnn.models.residual.merges import AndMerge
from mmsnn.utils.class_checks import check_num_classes
from test_configs.files import CONFIGS, build, load, shared
from test_configs.imagenet_papers import COPIES
from test_configs.narrow import narrow

LEAVES = sorted(path for path in CONFIGS.glob('*/*.py') if path.parent.name != '_base_')
# The others are the same lines: test_imagenet_configs.py compares them.
DISTINCT = [path for path in LEAVES if path.stem not in COPIES]
FOLDERS = sorted({path.parent for path in LEAVES})
BASES = sorted((CONFIGS / '_base_').rglob('*.py'))
NAME = re.compile(
    r'(?P<algorithm>[a-z0-9-]+)'
    r'(_(?P<backbone>[a-z0-9.-]+))?'
    r'(_(?P<neck>[a-z]+))?'
    r'_(?P<gpus>\d+)xb(?P<batch>\d+)(?P<amp>-amp)?-(?P<epochs>\d+)e'
    r'_(?P<dataset>[a-z0-9.-]+)'
)


def name_of(path: Path) -> str:
    return path.stem


def is_classifier(cfg: Config) -> bool:
    return cfg.model.type == 'ImageClassifier'


def parents(path: Path) -> list[Path]:
    """Return the files that a config names in ``_base_``."""
    for node in ast.parse(path.read_text()).body:
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == '_base_':
            value = ast.literal_eval(node.value)
            names = [value] if isinstance(value, str) else value
            return [(path.parent / name).resolve() for name in names]
    return []


def depth(path: Path) -> int:
    return max((1 + depth(parent) for parent in parents(path)), default=0)


@pytest.mark.parametrize('folder', FOLDERS, ids=name_of)
def test_page_links_every_config(folder: Path) -> None:
    text = (folder / 'README.md').read_text(encoding='utf-8')
    links = re.findall(r'\]\((?!http)([^)#]+)', text)
    files = {(folder / link).resolve() for link in links}
    assert all(file.exists() for file in files)
    assert files >= set(folder.glob('*.py'))


def test_there_are_configs() -> None:
    assert len(LEAVES) >= 7
    assert len(BASES) >= 5


def leaf_depth(path: Path) -> int:
    """Count the levels of a config above ``_base_``."""
    return 1 + max((leaf_depth(p) for p in parents(path) if p in LEAVES), default=0)


@pytest.mark.parametrize('path', LEAVES, ids=name_of)
def test_config_inherits_from_base_files_or_from_one_that_does(path: Path) -> None:
    assert parents(path)
    assert leaf_depth(path) <= 2


@pytest.mark.parametrize('path', BASES, ids=name_of)
def test_base_file_inherits_only_from_its_own_folder(path: Path) -> None:
    assert all(parent.parent == path.parent for parent in parents(path))
    assert len(parents(path)) <= 1
    assert depth(path) <= 3


@pytest.mark.parametrize('path', DISTINCT, ids=name_of)
def test_name_follows_the_convention_and_is_true(path: Path) -> None:
    name = NAME.fullmatch(path.stem)
    assert name is not None
    folder = path.parent.name.replace('_', '-')
    cfg = shared(path)
    if is_classifier(cfg):
        # BACKBONE_SCHEDULE_DATASET, in a folder for each data set
        assert name['backbone'] is None
        part = re.fullmatch(rf'{folder}(-(?P<size>\d+)(?P<px>px)?)?', name['dataset'])
        assert part is not None
        kind = cfg.train_dataloader.dataset.type.lower()
        assert folder.replace('-', '') in kind
        if part['px']:
            resize = cfg.test_dataloader.dataset.pipeline[0]
            assert (resize.type, resize.scale) == ('Resize', int(part['size']))
        elif part['size']:
            assert cfg.model.head.num_classes == int(part['size'])
    else:
        assert name['algorithm'] == folder
        root = cfg.train_dataloader.dataset.data_root
        assert name['dataset'].split('-')[0] in root
    assert cfg.train_dataloader.batch_size == int(name['batch'])
    total = int(name['gpus']) * int(name['batch'])
    assert cfg.auto_scale_lr.base_batch_size == total
    assert cfg.train_cfg.max_epochs == int(name['epochs'])
    assert (cfg.optim_wrapper.type == 'AmpOptimWrapper') == bool(name['amp'])


@pytest.mark.parametrize('path', LEAVES, ids=name_of)
def test_heads_have_as_many_classes_as_the_data(path: Path) -> None:
    check_num_classes(shared(path), ('train', 'val', 'test'))


def test_the_model_names_its_scope() -> None:
    """mmengine.hub.get_model builds it in the scope of this package."""
    for path in DISTINCT:
        assert shared(path).model._scope_ == shared(path).default_scope, path


def wake_up(model: nn.Module) -> None:
    """Open what MMDetection's initialisation shuts.

    A norm whose weight starts at 0 silences its branch until the first step. AND after
    AND lets nothing pass unless branches fire often, and so does attention.
    """
    family = getattr(model.backbone, 'family', None)
    for module in model.modules():
        if (
            isinstance(module, SpikeDrivenAttention)
            and largest_spike(module.neuron) == 1
        ):
            # of few positions, products of three spikes are below the threshold
            for part in (module.query, module.key, module.value):
                nn.init.constant_(part.norm.bias, 2.0)
        if isinstance(module, nn.modules.batchnorm._BatchNorm):
            nn.init.ones_(module.weight)
            if family is not None and family.merge is AndMerge:
                nn.init.constant_(module.bias, 0.5)


def images_of_boxes(model: nn.Module) -> dict:
    classes = model.bbox_head if hasattr(model, 'bbox_head') else model.roi_head
    number = getattr(classes, 'num_classes', None) or classes.bbox_head.num_classes
    sizes = [[3, 96, 96], [3, 64, 96]]
    batch = demo_mm_inputs(
        2,
        sizes,
        num_items=[2, 1],
        num_classes=max(number, 2),
        with_mask=model.with_mask,
    )
    for sample in batch['data_samples']:
        sample.gt_instances.labels.clamp_(max=number - 1)
    preprocessor = model.data_preprocessor
    if isinstance(preprocessor, EventDetDataPreprocessor):
        frames = (preprocessor.num_steps, preprocessor.channels)
        batch['inputs'] = [
            torch.poisson(torch.ones(*frames, *size[1:])) for size in sizes
        ]
    return batch


def images_of_classes(model: nn.Module) -> dict:
    channels = model.backbone.in_channels
    if channels == 2:
        # frames of an event camera's 128 x 128 pixels
        inputs = torch.poisson(torch.ones(2, model.backbone.num_steps, 2, 128, 128))
    else:
        inputs = torch.randint(0, 256, (4, channels, 64, 64))
    samples = [DataSample().set_gt_label(label) for label in range(len(inputs))]
    return dict(inputs=inputs, data_samples=samples)


@pytest.mark.parametrize(
    'path', sorted(CONFIGS.glob('whole_spiking_retinanet/*.py')), ids=name_of
)
@torch.no_grad()
def test_only_the_stem_of_a_whole_detector_multiplies(path: Path) -> None:
    model = build(shared(path))
    model.init_weights()
    wake_up(model)
    # in training mode, norms use the statistics of these images, so that neurons fire
    data = model.data_preprocessor(images_of_boxes(model), training=True)
    with OperationCounter(model.train()) as counter:
        model(data['inputs'], mode='tensor')
    layers = [x for x in counter.result().layers if x.kind == 'convolution']
    # counts of events are accumulated
    events = isinstance(model.data_preprocessor, EventDetDataPreprocessor)
    expected = [] if events else ['backbone.stem.encode.conv']
    assert [x.name for x in layers if x.values == 'analog'] == expected
    assert {x.part for x in layers} == {'encoder', 'backbone', 'neck', 'bbox_head'}


# Folders of many configs that differ in settings alone: the tests of their papers'
# tables build them.
RECIPES = {'cifar10', 'cifar100', 'imagenet', 'cifar10_dvs', 'dvs128_gesture'}
RECIPES |= {'spiking_mask_rcnn'}
# Detectors of full width, of which three are enough.
WIDE = re.compile(
    '(?!whole-.*-ilif|spiking-retinanet_sg-r18-asd_.*_(coco|gen1)$)'
    '.*_(coco|gen1|1mpx|pedro)'
)


def slow_recipes(paths: list[Path], wide: bool = False) -> list[Any]:
    return [
        pytest.param(
            path,
            marks=[pytest.mark.slow]
            * (path.parent.name in RECIPES or bool(wide and WIDE.match(path.stem))),
            id=path.stem,
        )
        for path in paths
    ]


@pytest.mark.parametrize('path', slow_recipes(LEAVES))
def test_builds(path: Path) -> None:
    # without memory for its weights
    model = build(shared(path), 'meta')
    assert all(parameter.requires_grad for parameter in model.parameters())


@pytest.mark.parametrize('path', slow_recipes(DISTINCT, wide=True))
def test_every_parameter_gets_a_gradient(path: Path) -> None:
    cfg = load(path)
    # the weights that a network starts from are not here
    cfg.model.pop('init_cfg', None)
    cfg.model.backbone.pop('init_cfg', None)
    if is_classifier(cfg) and cfg.model.head.in_channels >= 512:
        narrow(cfg)
    torch.manual_seed(0)
    model = build(cfg)
    model.init_weights()
    wake_up(model)
    model.train()
    batch = images_of_classes(model) if is_classifier(cfg) else images_of_boxes(model)
    losses = model(**model.data_preprocessor(batch, training=True), mode='loss')
    model.parse_losses(losses)[0].backward()
    silent = [
        name
        for name, parameter in model.named_parameters()
        if parameter.grad is None or not parameter.grad.any()
    ]
    assert silent == []
    assert all(parameter.grad.isfinite().all() for parameter in model.parameters())
