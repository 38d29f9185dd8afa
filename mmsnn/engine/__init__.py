"""What runs with MMEngine's Runner."""

from .hooks import (
    CollectHook,
    DeployHook,
    EnergyHook,
    FiringRateHook,
    GradientFlowHook,
    TrainStepsHook,
)

__all__ = [
    'CollectHook',
    'DeployHook',
    'EnergyHook',
    'FiringRateHook',
    'GradientFlowHook',
    'TrainStepsHook',
]
