"""Direct coding: the image is a constant input current of the first neurons."""

from torch import Tensor

from mmsnn.registry import MODELS

from .base import BaseStem


@MODELS.register_module()
class DirectStem(BaseStem):
    r"""Direct coding: convolution and norm, then neurons over T steps, then a max-pool.

    The image is the same at every time step, so its convolution is computed once and
    the result is repeated (without a copy) as the neurons' input current. The max-pool
    is applied to spikes (Zhang et al. 2023, Section 4.1). A sequence of frames, such as
    those of an event camera, is convolved frame by frame instead.

    With a constant current x, neurons that leak to 0 and are reset to 0 fire
    periodically (Qiu et al., *Gated attention coding*, Eqs. 10 and 13): with
    :math:`h_t = \lambda v_{t-1} + x` they fire at the multiples of the period

    .. math::
        P = \Big\lceil \log_\lambda\Big(1 - \frac{(1 - \lambda)\,v_{th}}{x}\Big)
            \Big\rceil \;\text{ if } x > (1 - \lambda)\,v_{th}, \text{ else never,}

    or :math:`\lceil v_{th} / x \rceil` without leak (IF). If the decay also applies to
    the input (``decay_input``), it is the period for :math:`(1 - \lambda)\,x`.

    See :class:`BaseStem` for the arguments.

    Shape:
        Images ``[N, in_channels, H, W]`` or frames ``[N, T, in_channels, H, W]`` to
        ``[T * N, out_channels, H', W']``.

    Raises:
        TypeError: If an argument has the wrong type.
        ValueError: If a size is less than 1, or the input has another shape.
    """

    def compute(self, image: Tensor) -> Tensor:
        """Return the spikes of all time steps, or currents without neurons."""
        x = self.currents(image)
        constant = image.dim() == 4
        if self.neuron is None:
            # an image's currents are constant over time: pool once, not T times
            return self.fire(self.shrink(x), constant)
        return self.shrink(self.fire(x, constant))
