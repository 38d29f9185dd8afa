"""What runs with MMEngine's Runner."""

from .hooks import (
    CollectHook,
    DeployHook,
    EnergyHook,
    FiringRateHook,
    GradientFlowHook,
    NonFiniteHook,
    TrainStepsHook,
)

__all__ = [
    'CollectHook',
    'DeployHook',
    'EnergyHook',
    'FiringRateHook',
    'GradientFlowHook',
    'NonFiniteHook',
    'TrainStepsHook',
]
