"""Hooks of MMEngine's Runner."""

from .collect import CollectHook
from .energy import EnergyHook
from .firing_rate import FiringRateHook
from .gradient_flow import GradientFlowHook
from .train_steps import TrainStepsHook

__all__ = [
    'CollectHook',
    'EnergyHook',
    'FiringRateHook',
    'GradientFlowHook',
    'TrainStepsHook',
]
