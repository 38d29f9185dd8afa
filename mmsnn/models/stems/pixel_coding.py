"""Base of stems that encode pixel intensities as spikes."""

from collections.abc import Sequence
from typing import Unpack

import torch
from torch import Tensor

from mmsnn.models.layers import LayerFactory
from mmsnn.utils import check_number, check_positive, check_sequence

from .base import BaseStem, StemOptions

LEVELS = 255
"""The largest 8-bit intensity."""

_TOLERANCE = 0.5 / LEVELS


class CodedStemOptions(StemOptions, total=False):
    """Arguments of :class:`CodedStem` that all codings take."""

    mean: Sequence[float] | None
    std: Sequence[float] | None


def _per_channel(name: str, values: Sequence[float], channels: int) -> Tensor:
    """Return one number per channel as ``[channels, 1, 1]``.

    Raises:
        TypeError: If ``values`` is not a sequence of numbers.
        ValueError: If there is not one number per channel.
    """
    check_sequence(name, values, 'numbers')
    if len(values) != channels:
        raise ValueError(
            f'{name} must have {channels} entries, one per channel, '
            f'but got {list(values)}'
        )
    numbers = [check_number(name, value) for value in values]
    return torch.tensor(numbers).view(-1, 1, 1)


class CodedStem(BaseStem):
    """Coding of pixel intensities, then convolution, norm and neurons at every step.

    The coding has no parameters and no gradient with respect to the image. Intensities
    are 8-bit values divided by 255. Data preprocessors normalise the values; ``mean``
    and ``std`` undo this, ``(image * std + mean) / 255``.

    Args:
        in_channels: Channels of the image.
        out_channels: Channels of the output.
        layers: Builds the layers.
        mean: The data preprocessor's ``mean``, one per channel. None is 0.
        std: The data preprocessor's ``std``, one per channel. None is 255: if ``mean``
            is None too, images are in [0, 1] already.
        **options: The other arguments of :class:`BaseStem`.

    Shape:
        Images ``[N, in_channels, H, W]`` to ``[T * N, out_channels, H', W']``.

    Raises:
        TypeError: If an argument has the wrong type.
        ValueError: If an argument is out of range, the coding does not allow the number
            of time steps, or the input has another shape or range.
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        layers: LayerFactory,
        mean: Sequence[float] | None = None,
        std: Sequence[float] | None = None,
        **options: Unpack[StemOptions],
    ) -> None:
        super().__init__(in_channels, out_channels, layers, **options)
        mean = [0.0] * in_channels if mean is None else mean
        std = [float(LEVELS)] * in_channels if std is None else std
        # not buffers: neither checkpoints nor casts must change them
        self.mean = _per_channel('stem mean', mean, in_channels)
        self.std = _per_channel('stem std', std, in_channels)
        for value in std:
            check_positive('stem std', value)

    def compute(self, image: Tensor) -> Tensor:
        """Return the spikes of all time steps, or currents without neurons."""
        if not self.is_image(image):
            raise ValueError(
                f'{type(self).__name__} encodes images of shape '
                f'[N, {self.in_channels}, H, W] over time, but got frames of shape '
                f'{list(image.shape)}; DirectStem and GatedAttentionStem take frames'
            )
        with torch.no_grad():
            spikes = self.of_these_steps(self.code(self.intensities(image)))
        x = self.currents(spikes.transpose(0, 1))
        return self.shrink(self.fire(x, constant=False))

    def code(self, intensities: Tensor) -> Tensor:
        """Return the input of the convolution, ``[T, N, C, H, W]``.

        Args:
            intensities: Of images, in [0, 1], ``[N, C, H, W]``.
        """
        raise NotImplementedError(f'{type(self).__name__} defines no coding')

    def intensities(self, image: Tensor) -> Tensor:
        """Return the intensities of normalised images, in at least fp32.

        Raises:
            ValueError: If they are outside [0, 1] by more than half a grey level.
        """
        image = image.to(torch.promote_types(image.dtype, torch.float32))
        x = (image * self.std.to(image) + self.mean.to(image)) / LEVELS
        return _clamp_intensities(x, type(self).__name__)


# an operator, so that graphs hold the check and fake tensors skip it
@torch.library.custom_op('mmsnn::clamp_intensities', mutates_args=())
def _clamp_intensities(x: Tensor, stem: str) -> Tensor:
    low, high = (bound.item() for bound in x.aminmax())
    if not (low >= -_TOLERANCE and high <= 1 + _TOLERANCE):
        raise ValueError(
            f'{stem} needs intensities in [0, 1], but (image * std + mean) / 255 is in '
            f"[{low:.3g}, {high:.3g}]; mean and std must be the data preprocessor's"
        )
    return x.clamp(0, 1)


@_clamp_intensities.register_fake
def _(x: Tensor, stem: str) -> Tensor:
    return torch.empty_like(x)
