"""Gradients over the depth of a network."""

from .gradient_flow import BlockGradient, GradientFlow, Gradients, LayerGradient
from .gradient_stability import GradientStability, NeuronStability, Stability

__all__ = [
    'BlockGradient',
    'GradientFlow',
    'GradientStability',
    'Gradients',
    'LayerGradient',
    'NeuronStability',
    'Stability',
]
