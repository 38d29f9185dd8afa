"""Measure a whole detector: Spiking RetinaNet against MMDetection's RetinaNet.

SG ResNet18 with ASD is compared with ResNet18, both from this project's COCO configs,
on the same images, in channels-last: prediction for one image, and a training step with
``--images`` images. Hooks measure the times of the parts in the same calls.

Usage:
    python benchmarks/detector.py [--pairs 10] [--images 2] [--size 320]
        [--threads 2] [--json FILE]
"""

import time
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Any

import _pairs

if TYPE_CHECKING:
    from _timeline import Timeline
    from torch import Tensor

CONFIGS = Path(__file__).resolve().parents[1] / 'configs'
FILES = {
    'Spiking RetinaNet': (
        'spiking_retinanet/spiking-retinanet_sg-r18-asd_fpn_8xb2-amp-72e_coco.py'
    ),
    'RetinaNet': 'retinanet/retinanet_r18_fpn_8xb2-amp-72e_coco.py',
}
INFERENCE, TRAINING = ', inference', ', training step'
BOXES = 8


def build(file: str) -> Any:
    """Return the detector of a config, with random weights, in channels-last."""
    from _networks import in_channels_last
    from mmdet.registry import MODELS
    from mmdet.utils import register_all_modules
    from mmengine.config import Config
    from mmengine.logging import MMLogger
    from mmengine.model import revert_sync_batchnorm

    import mmsnn  # noqa: F401

    register_all_modules()
    if not MMLogger.check_instance_created('benchmarks'):
        MMLogger.get_instance('benchmarks', log_level='ERROR')
    model = MODELS.build(Config.fromfile(CONFIGS / file).model)
    model.init_weights()
    return in_channels_last(revert_sync_batchnorm(model))


def make_samples(number: int, size: int) -> list[Any]:
    """Return annotations of images, each with a few boxes."""
    import torch
    from mmdet.structures import DetDataSample
    from mmengine.structures import InstanceData

    samples = []
    for _ in range(number):
        corners = torch.rand(BOXES, 2) * size / 2
        boxes = torch.cat([corners, corners + size / 8 + corners / 2], 1)
        sample = DetDataSample(
            metainfo=dict(
                img_shape=(size, size),
                ori_shape=(size, size),
                pad_shape=(size, size),
                batch_input_shape=(size, size),
                scale_factor=(1.0, 1.0),
            )
        )
        sample.gt_instances = InstanceData(
            bboxes=boxes, labels=torch.arange(BOXES) % 80
        )
        samples.append(sample)
    return samples


def watch(model: Any) -> 'Timeline':
    """Return a timeline of the parts of a detector."""
    from _timeline import Timeline
    from torch import nn

    backbone, neck = model.backbone, model.neck
    if hasattr(backbone, 'stages'):
        stages = list(backbone.stages)
    else:
        stages = [getattr(backbone, name) for name in backbone.res_layers]
    names = [f'stage {number}' for number in range(1, len(stages) + 1)]
    parts = {'backbone': backbone, **dict(zip(names, stages, strict=True))}
    if isinstance(neck, nn.Sequential):
        parts |= {'decoder': neck[0], 'FPN': neck[1]}
    else:
        parts['FPN'] = neck
    return Timeline({**parts, 'head': model.bbox_head}, {'backbone': tuple(names)})


class Detector:
    """A detector for inference and one for training, each with a timeline.

    Args:
        file: The config of both.
        images: A batch for training.
        samples: Their annotations.
    """

    def __init__(self, file: str, images: 'Tensor', samples: list[Any]) -> None:
        from _networks import calibrate

        self.images, self.samples = images, samples
        self.trained, self.used = build(file), build(file)
        calibrate(self.used, images)
        self.trained.train()
        self.parts = {
            INFERENCE: watch(self.used),
            TRAINING: watch(self.trained),
        }
        self.forward: list[float] = []

    def predict(self) -> object:
        """Detect objects in the first image, as the framework does."""
        import torch

        with torch.no_grad():
            return self.used(self.images[:1], self.samples[:1], mode='predict')

    def train_step(self) -> None:
        """Run forward with the losses, and backward."""
        start = time.perf_counter()
        self.trained.zero_grad(set_to_none=True)
        losses = self.trained(self.images, self.samples, mode='loss')
        total, _ = self.trained.parse_losses(losses)
        self.forward.append(time.perf_counter() - start)
        total.backward()
        self.parts[TRAINING].backward_done()

    def clear(self) -> None:
        """Discard the measurements of the warm-up."""
        self.forward.clear()
        for timeline in self.parts.values():
            timeline.clear()

    def spans(self, times: _pairs.Times, name: str) -> dict[str, dict[str, float]]:
        """Return the ms of each part, in inference and both passes of training."""
        found = {
            'inference': self.parts[INFERENCE].medians('forward'),
            'training, forward': self.parts[TRAINING].medians('forward'),
            'training, backward': self.parts[TRAINING].medians('backward'),
        }
        totals = {
            'inference': median(times[name + INFERENCE]),
            'training, forward': median(self.forward),
        }
        for kind, total in totals.items():
            found[kind]['rest'] = total - sum(found[kind].values())
        # the backbone's own time is the stem's; backward, stage 1 includes it
        backward = found['training, backward']
        backward['stem and stage 1'] = backward.pop('stage 1')
        return {
            kind: {part.replace('backbone', 'stem'): 1000 * s for part, s in of.items()}
            for kind, of in found.items()
        }


def main() -> None:
    """Measure, print and save."""
    args = _pairs.parse_args(
        'Measure whole detectors',
        pairs=10,
        images=(2, 'batch size of the training step'),
        size=(320, 'height and width of the images'),
    )
    import _networks as nets

    images = nets.make_images(args.images, args.size)
    samples = make_samples(args.images, args.size)
    detectors = {name: Detector(file, images, samples) for name, file in FILES.items()}
    cases: dict[str, _pairs.Case] = {}
    for name, detector in detectors.items():
        cases[name + INFERENCE] = detector.predict
        cases[name + TRAINING] = detector.train_step
    _pairs.take_turns(cases, 0)
    for detector in detectors.values():
        detector.clear()
    times = _pairs.take_turns(cases, args.pairs, warm_up=0)
    first, base = FILES
    spans = {name: d.spans(times, name) for name, d in detectors.items()}
    pairs = [(first + kind, base + kind) for kind in (INFERENCE, TRAINING)]
    for name, kinds in spans.items():
        for kind, parts in kinds.items():
            shown = ', '.join(f'{part} {ms:.1f}' for part, ms in parts.items())
            print(f'{name}, {kind}, ms: {shown}')
    _pairs.save(args, times, pairs, parts=spans)


if __name__ == '__main__':
    _pairs.run(main)
