"""Recorders of spikes, membrane potentials and attention weights for one image."""

from .attention_recorder import (
    AttentionCapture,
    DecoderAttention,
    GateAttention,
    ImageAttention,
    has_attention,
)
from .one_image import InputImage
from .spike_recorder import (
    ImageSpikes,
    LayerSpikes,
    PotentialTrace,
    SpikeCapture,
    choose_neurons,
)

__all__ = [
    'AttentionCapture',
    'DecoderAttention',
    'GateAttention',
    'ImageAttention',
    'ImageSpikes',
    'InputImage',
    'LayerSpikes',
    'PotentialTrace',
    'SpikeCapture',
    'choose_neurons',
    'has_attention',
]
