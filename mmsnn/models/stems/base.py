"""Base of stems: convolution and norm, neurons over all time steps, a max-pool."""

from typing import ClassVar, TypedDict

import torch
from torch import Tensor, nn

from mmsnn.models.layers import LayerFactory, MaxPool2d, Recomputable, Unit
from mmsnn.models.neurons.carried_state import (
    carried_state,
    count_steps,
    current_steps,
)
from mmsnn.utils import check_bool, check_positive_int
from mmsnn.utils.signatures import spell_out


class ConvolutionOptions(TypedDict, total=False):
    """Arguments of :class:`BaseStem` for its convolutions."""

    kernel_size: int
    stride: int
    num_convs: int
    bias: bool


class StemOptions(ConvolutionOptions, total=False):
    """Arguments of :class:`BaseStem` other than channels and layers."""

    spiking: bool
    pool: bool


class BaseStem(Recomputable):
    """Base of stems: builds the layers, which derived classes apply.

    Derived classes define ``compute(image)``, which returns ``[T * N, C, H, W]``, with
    :meth:`currents`, :meth:`fire` and :meth:`shrink`. The input of the neurons is
    ``[T, N, C, H, W]`` in all stems: the currents of a static image are expanded over
    the time steps, not copied.

    Args:
        in_channels: Channels of the image.
        out_channels: Channels of the output.
        layers: Builds the layers.
        spiking: Whether the stem ends with neurons; without them its output is analog,
            for families whose blocks begin with neurons.
        kernel_size: Kernel size of the convolutions.
        stride: Stride of the first convolution.
        pool: Whether a 3x3 max-pool of stride 2 follows.
        num_convs: Number of convolutions, with no layers between them and one norm
            after the last; all but the last have a bias.
        bias: Whether the last convolution also has a bias.

    Attributes:
        num_steps: Number of time steps T that the stem is built for.
        graded: Whether the stem weights its spikes, so that its output has values other
            than 0 and 1.
        attention_parts: Names of the submodules that compute the weights of the spikes;
            a submodule that is disabled is None. ``'temporal'`` returns scores of the
            time steps ``[T, N, 1, 1, 1]``, ``'spatial_channel'`` of positions and
            channels; the weight is the sigmoid of their product.
        fixed_num_steps: Whether the stem requires the number of time steps it is built
            for, although its parameters do not depend on it.
        draws_random_numbers: Whether the stem draws random numbers in evaluation mode,
            which an ONNX model cannot reproduce.

    Raises:
        TypeError: If an argument has the wrong type.
        ValueError: If a size is less than 1.
    """

    graded: ClassVar[bool] = False
    attention_parts: ClassVar[tuple[str, ...]] = ()
    fixed_num_steps: ClassVar[bool] = False
    draws_random_numbers: ClassVar[bool] = False

    def __init_subclass__(cls) -> None:
        """Show the options in ``help()`` and in the signature."""
        super().__init_subclass__()
        cls.__signature__ = spell_out(cls, {})  # type: ignore[attr-defined]

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        layers: LayerFactory,
        spiking: bool = True,
        kernel_size: int = 7,
        stride: int = 2,
        pool: bool = True,
        num_convs: int = 1,
        bias: bool = False,
    ) -> None:
        super().__init__()
        check_positive_int('stem kernel_size', kernel_size)
        check_positive_int('stem stride', stride)
        check_positive_int('stem num_convs', num_convs)
        check_bool('stem pool', pool)
        check_bool('stem bias', bias)
        self.num_steps = layers.num_steps
        self.in_channels = in_channels
        self.lead = nn.Sequential()
        for _ in range(num_convs - 1):
            self.lead.append(
                layers.make_conv(in_channels, out_channels, kernel_size, stride, True)
            )
            in_channels, stride = out_channels, 1
        self.encode = Unit(
            'CN', in_channels, out_channels, kernel_size, stride, layers, bias
        )
        self.neuron = layers.make_neuron() if spiking else None
        self.pool = MaxPool2d(3, stride=2, padding=1) if pool else None

    def currents(self, image: Tensor) -> Tensor:
        """Apply convolution and norm to images or frames.

        Args:
            image: Images ``[N, C, H, W]`` or frames ``[N, T, C, H, W]``; they are cast
                to the dtype of the stem's weights.

        Returns:
            ``[N, out_channels, H', W']`` for images, the same at every time step, or
            ``[T * N, out_channels, H', W']`` for frames.

        Raises:
            ValueError: If the input has another shape.
        """
        if not self.is_image(image):
            image = image.transpose(0, 1).flatten(0, 1)
        # data preprocessors return fp32 even for networks in bf16
        dtype = next(self.encode.parameters()).dtype
        image = image.to(dtype, memory_format=torch.channels_last)
        return self.encode(self.lead(image))

    def fire(self, x: Tensor, constant: bool) -> Tensor:
        """Return the spikes of all time steps, or the currents if there are no neurons.

        Args:
            x: The output of :meth:`currents`.
            constant: Whether ``x`` is from images, thus the same at every time step.

        Returns:
            ``[T * N, out_channels, H', W']``.
        """
        steps = current_steps(self.num_steps)
        if self.neuron is None:
            # folding an expanded tensor would lose channels-last
            return torch.cat([x] * steps) if constant else x
        currents = (
            x.expand(steps, *x.shape) if constant else x.unflatten(0, (steps, -1))
        )
        spikes: Tensor = self.neuron(currents)
        return spikes.flatten(0, 1)

    def shrink(self, x: Tensor) -> Tensor:
        """Return ``x`` after the max-pool, if there is one."""
        return x if self.pool is None else self.pool(x)

    def of_these_steps(self, x_seq: Tensor) -> Tensor:
        """Return the time steps of a code over T steps that belong to this call.

        In a stream, an item's code restarts after T steps.

        Args:
            x_seq: The code, ``[T, N, ...]``.

        Returns:
            ``x_seq``, or ``[steps, N, ...]`` in a stream.
        """
        carried = carried_state()
        if carried is None:
            return x_seq
        seen = count_steps(carried, carried.key(self), x_seq.shape[1], x_seq.device)
        steps = seen + torch.arange(carried.num_steps, device=x_seq.device)[:, None]
        items = torch.arange(x_seq.shape[1], device=x_seq.device)
        return x_seq[steps % self.num_steps, items]

    def is_image(self, image: Tensor) -> bool:
        """Return whether the input is an image, not a sequence of frames.

        Raises:
            ValueError: If it is neither.
        """
        *batch, channels, _, _ = image.shape if image.dim() in (4, 5) else [0] * 3
        steps = current_steps(self.num_steps)
        known = len(batch) == 1 or batch[1:] == [steps]
        if channels != self.in_channels or not known:
            raise ValueError(
                f'expected images of shape [N, {self.in_channels}, H, W] or frames of '
                f'shape [N, {steps}, {self.in_channels}, H, W], '
                f'but got {list(image.shape)}'
            )
        return len(batch) == 1
