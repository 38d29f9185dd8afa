"""Configs of spike-driven Transformers against their authors' code, and at work."""

import pytest
import torch
from mmdet.testing import demo_mm_inputs
from mmengine.config import Config

from .files import CONFIGS, build, load, shared

# millions of parameters with a classifier of 1000 classes
IMAGENET = {
    'meta-spikeformer-15m-t1_8xb128-amp-200e_imagenet': 15.11,
    'meta-spikeformer-31m-t1_8xb128-amp-200e_imagenet': 31.33,
    'meta-spikeformer-55m-t1_8xb128-amp-200e_imagenet': 55.35,
    'e-spikeformer-5m_8xb256-amp-200e_imagenet': 5.11,
    'e-spikeformer-10m_8xb256-amp-200e_imagenet': 10.02,
    'e-spikeformer-19m_8xb256-amp-200e_imagenet': 18.99,
}
RETINANETS = [
    'spiking_retinanet/spiking-retinanet_meta-spikeformer-15m-rate_fpn_8xb2-36e_coco',
    'spiking_retinanet/spiking-retinanet_e-spikeformer-10m-rate_fpn_8xb2-36e_coco',
    'spiking_retinanet/spiking-retinanet_e-spikeformer-rate_fpn_1xb8-8e_digits',
]
MASK_RCNNS = [
    f'spiking_mask_rcnn/spiking-mask-rcnn_{name}-rate_fpn_2xb4-12e_coco'
    for name in ('e-spikeformer-10m', 'e-spikeformer-19m', 'meta-spikeformer-15m')
]


def config(name: str) -> Config:
    return shared(CONFIGS / f'{name}.py')


@pytest.mark.parametrize('name', IMAGENET)
def test_classifier(name: str) -> None:
    cfg = config(f'imagenet/{name}')
    model = build(cfg, 'meta')
    count = sum(parameter.numel() for parameter in model.parameters())
    assert round(count / 1e6, 2) == IMAGENET[name]
    assert model.backbone.num_steps == model.neck[0].num_steps == 1
    # main_finetune.py and the scripts: 6e-4 per 256 images
    optimizer = cfg.optim_wrapper.optimizer
    total = cfg.auto_scale_lr.base_batch_size
    assert (optimizer.type, optimizer.weight_decay) == ('Lamb', 0.05)
    assert optimizer.lr == pytest.approx(6e-4 * total / 256)
    warm_up, cosine = cfg.param_scheduler
    epochs = 10 if name.startswith('meta') else 5
    assert warm_up.end == cosine.begin == epochs
    assert cosine.T_max == cosine.end - epochs == 200 - epochs
    assert cosine.eta_min == 1e-6
    assert cfg.model.head.loss.label_smooth_val == 0.1


def strides_of(model: torch.nn.Module, size: int = 128) -> list[int]:
    """Return by how much the features of the neck are smaller than an image."""
    with torch.no_grad():
        features = model.neck(model.backbone(torch.zeros(1, 3, size, size)))
    return [size // feature.shape[-1] for feature in features]


@pytest.mark.parametrize('name', [*RETINANETS, MASK_RCNNS[0]])
def test_anchors_have_the_strides_of_the_levels(name: str) -> None:
    model = build(config(name)).eval()
    head = model.rpn_head if name in MASK_RCNNS else model.bbox_head
    anchors = head.prior_generator
    strides = strides_of(model)
    assert [stride for stride, _ in anchors.strides] == strides
    # of an object's size, as if each level were half as fine as the one before
    sizes = anchors.base_sizes
    assert sizes == [sizes[0] * 2**i for i in range(5)]
    if name in MASK_RCNNS:
        extractor = model.roi_head.bbox_roi_extractor
        assert extractor.featmap_strides == strides[:4]
        assert model.roi_head.mask_roi_extractor.featmap_strides == strides[:4]


@pytest.mark.parametrize('name', RETINANETS[:2] + MASK_RCNNS)
def test_detectors_start_from_imagenet(name: str) -> None:
    cfg = config(name)
    init = cfg.model.backbone.init_cfg
    if init.type == 'Pretrained':
        folder = init.checkpoint.split('/')[1]
        assert folder in IMAGENET
        assert config(f'imagenet/{folder}').model.backbone.channels == '15M'
    else:
        kind = cfg.model.backbone.type.removeprefix('mmsnn.')
        name = {'ESpikeFormer': 'e', 'MetaSpikeFormer': 'meta'}[kind]
        size = cfg.model.backbone.channels.lower()
        assert init.type == 'mmsnn.PretrainedSpikeFormer'
        assert init.checkpoint == f'checkpoints/{name}-spikeformer-{size}.pth'


def test_mask_rcnn_trains_and_predicts() -> None:
    cfg = load(CONFIGS / f'{MASK_RCNNS[0]}.py')
    channels = [8, 8, 16, 16]
    cfg.model.backbone.update(channels=channels, init_cfg=None)
    for neck in cfg.model.neck:
        neck.in_channels = channels
    cfg.model.train_cfg.rpn_proposal.update(nms_pre=50, max_per_img=20)
    cfg.model.train_cfg.rcnn.sampler.num = 16
    model = build(cfg)
    batch = demo_mm_inputs(1, [[3, 64, 64]], num_items=[2], with_mask=True)
    data = model.data_preprocessor(batch, training=True)
    losses = model(**data, mode='loss')
    assert {'loss_rpn_cls', 'loss_cls', 'loss_mask'} <= losses.keys()
    model.parse_losses(losses)[0].backward()
    assert model.backbone.stages[0][0].branches['conv'][0].conv.weight.grad.any()
    model.eval()
    with torch.no_grad():
        found = model(**model.data_preprocessor(batch), mode='predict')
    assert found[0].pred_instances.masks.shape[-2:] == (64, 64)
