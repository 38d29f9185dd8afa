"""What runs with MMEngine's Runner."""

from mmsnn._compat import require

require('torch', 'mmengine')

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
