"""Measure detectors that stream against T time steps for each frame.

Both give a result for each frame. A stream takes one time step from the state of the
frame before. Without it, the last T frames of events, or the same picture T times, are
computed anew. The whole detectors of this project's configs are measured, with random
weights, on noise.

Usage:
    python benchmarks/streaming.py [--pairs 30] [--threads 1] [--json FILE]
"""

from typing import TYPE_CHECKING

import _pairs

if TYPE_CHECKING:
    from torch import Tensor

FOLDER = 'spiking_retinanet/spiking-retinanet_'
# name to config, and height and width
DETECTORS = {
    'digits in a video, SG ResNet10': (
        FOLDER + 'sg-r10-asd_fpn_1xb8-8e_digits.py',
        (128, 128),
    ),
    'event digits, 7B SG ResNet': (
        FOLDER + 'sg-7b-asd_fpn_1xb8-16e_event-digits.py',
        (128, 128),
    ),
    'event digits, SG ResNet10': (
        FOLDER + 'sg-r10-asd_fpn_1xb8-16e_event-digits.py',
        (128, 128),
    ),
    'Gen1, SG ResNet18': (FOLDER + 'sg-r18-asd_fpn_8xb8-12e_gen1.py', (256, 320)),
}
STREAM, WINDOW = ', stream', ', window'


class Frames:
    """Cases of one detector, each of which gives the result of the next frame.

    Args:
        file: The detector's config.
        size: Height and width of the frames.
    """

    def __init__(self, file: str, size: tuple[int, int]) -> None:
        import torch
        from _networks import calibrate
        from detector import build, make_samples

        self.model = build(file)
        self.num_steps = self.model.backbone.num_steps
        channels = getattr(self.model.data_preprocessor, 'channels', None)
        if channels is None:
            self.frames = torch.randn(4 * self.num_steps, 1, 3, *size)
            calibrate(self.model.backbone, self.frames[: self.num_steps, 0])
        else:
            # about as many events per pixel as in recordings
            rates = torch.full((1, 4 * self.num_steps, channels, *size), 0.05)
            self.frames = torch.poisson(rates)
            calibrate(self.model.backbone, self.frames[:, : self.num_steps])
        self.model.eval()
        self.samples = make_samples(1, size[0])
        self.samples[0].set_metainfo(dict(img_shape=size, ori_shape=size))
        self.samples[0].set_metainfo(dict(pad_shape=size, batch_input_shape=size))
        self.state: dict[str, Tensor] | None = None
        self.next = {STREAM: 0, WINDOW: 0}

    def stream(self) -> object:
        """Run one time step from the state."""
        from mmsnn.streaming import step

        found, self.state = step(
            self.model,
            self._take(STREAM, 1),
            self.samples,
            mode='predict',
            num_steps=1,
            state=self.state,
        )
        return found

    def window(self) -> object:
        """Run T time steps."""
        frames = self._take(WINDOW, self.num_steps)
        return self.model(frames, self.samples, mode='predict')

    def _take(self, case: str, number: int) -> 'Tensor':
        """Return the next picture, or the next window of a number of frames."""
        position, self.next[case] = self.next[case], self.next[case] + 1
        if self.frames.shape[1] == 1:
            return self.frames[position % len(self.frames)]
        start = position % (self.frames.shape[1] - number)
        return self.frames[:, start : start + number]


def main() -> None:
    """Measure, print and save."""
    args = _pairs.parse_args('Measure streaming', pairs=30, threads=(1, 'of PyTorch'))
    import torch

    cases: dict[str, _pairs.Case] = {}
    steps = {}
    for name, (file, size) in DETECTORS.items():
        frames = Frames(file, size)
        steps[name] = frames.num_steps
        cases |= {name + STREAM: frames.stream, name + WINDOW: frames.window}
    with torch.no_grad():
        times = _pairs.take_turns(cases, args.pairs)
    pairs = [(name + WINDOW, name + STREAM) for name in DETECTORS]
    _pairs.save(args, times, pairs, num_steps=steps)


if __name__ == '__main__':
    _pairs.run(main)
