"""Direct coding: the image is a constant current into the first layer of neurons."""

from torch import Tensor

from mmsnn.registry import MODELS

from .base import BaseStem


@MODELS.register_module()
class DirectStem(BaseStem):
    r"""Convolution and norm once on the image, neurons T times, then a max-pool.

    The image is the same at every step, so its convolution is computed once and its
    result repeated (without a copy) as the neurons' input current. The max-pool runs on
    spikes (Zhang et al. 2023, Section 4.1). A sequence of frames, such as those of an
    event camera, is convolved frame by frame instead.

    Under a constant current x, neurons that leak to 0 and are reset to it repeat
    themselves (Qiu et al., *Gated attention coding*, Eqs. 10 and 13): with
    :math:`h_t = \lambda v_{t-1} + x` they fire at the multiples of the period

    .. math::
        P = \Big\lceil \log_\lambda\Big(1 - \frac{(1 - \lambda)\,v_{th}}{x}\Big)
            \Big\rceil \;\text{ if } x > (1 - \lambda)\,v_{th}, \text{ else never,}

    or :math:`\lceil v_{th} / x \rceil` without leak (IF). Where the leak weakens the
    input too (``decay_input``), it is the period of :math:`(1 - \lambda)\,x`.

    See :class:`BaseStem` for the arguments.

    Shape:
        Images ``[N, in_channels, H, W]`` or frames ``[N, T, in_channels, H, W]`` to
        ``[T * N, out_channels, H', W']``.

    Raises:
        TypeError: If an argument has the wrong type.
        ValueError: If a size is less than 1, or the input has another shape.
    """

    def compute(self, image: Tensor) -> Tensor:
        """See the class."""
        x = self.currents(image)
        constant = image.dim() == 4
        if self.neuron is None:
            # the same at every step: the pool need not run T times
            return self.fire(self.shrink(x), constant)
        return self.shrink(self.fire(x, constant))
