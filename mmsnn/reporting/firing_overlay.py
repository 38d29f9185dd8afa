"""Firing rates of layers over a picture, as an image of the same size."""

import matplotlib
import numpy as np
from PIL import Image, ImageDraw, ImageFont

from mmsnn.analysis.recorders.one_image import InputImage
from mmsnn.analysis.recorders.spike_recorder import ImageSpikes, LayerSpikes

from .image_overlay import LUMA, MAP_ALPHA
from .spike_pictures import RATE_COLORS

_HEADER = 36


def draw_firing_overlays(spikes: ImageSpikes, pixels: np.ndarray) -> np.ndarray:
    """Draw the firing rates of each layer over the picture, side by side.

    Rates are means over channels and time steps. The colours of each map range from 0
    to its maximum, which is in the caption.

    Args:
        spikes: Spikes of one image; layers without positions are left out.
        pixels: The original picture of the network's input, RGB ``uint8 [H, W, 3]``.

    Returns:
        RGB ``uint8 [H + header, W * layers, 3]``.

    Raises:
        ValueError: If no layer has maps.
    """
    layers = [layer for layer in spikes.layers if layer.spikes.ndim == 4]
    if not layers:
        names = [layer.name for layer in spikes.layers]
        raise ValueError(f'overlays need spikes of shape [T, C, H, W], but got {names}')
    return np.hstack([_overlay(layer, spikes.image, pixels) for layer in layers])


def _overlay(layer: LayerSpikes, image: InputImage, pixels: np.ndarray) -> np.ndarray:
    rates = layer.firing_rates.mean(0)
    height, width = pixels.shape[:2]
    # the map covers the input with its padding
    rows, columns = image.values.shape[-2:]
    full = (round(columns * width / image.width), round(rows * height / image.height))
    highest = float(rates.max())
    scaled = Image.fromarray((rates / (highest or 1.0)).astype(np.float32))
    values = np.asarray(scaled.resize(full, Image.Resampling.NEAREST))[:height, :width]
    colors = matplotlib.colormaps[RATE_COLORS](values)[..., :3] * 255
    grey = (pixels @ np.array(LUMA))[..., None]
    blended = MAP_ALPHA * colors + (1 - MAP_ALPHA) * grey

    framed = Image.new('RGB', (width, height + _HEADER), 'white')
    framed.paste(Image.fromarray(blended.round().astype(np.uint8)), (0, _HEADER))
    text = f'{layer.name}\nfiring rate {layer.firing_rate:.3f}, at most {highest:.3f}'
    font = ImageFont.load_default(size=12)
    ImageDraw.Draw(framed).multiline_text((4, 2), text, fill='black', font=font)
    return np.asarray(framed)
