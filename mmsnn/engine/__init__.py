"""Extensions of MMEngine's Runner."""

from mmsnn._compat import require

require('torch', 'mmengine')

from .hooks import (
    AtomicCheckpointHook,
    CheckpointKeysHook,
    CollectHook,
    DeployHook,
    EnergyHook,
    FiringRateHook,
    GradientFlowHook,
    NonFiniteHook,
    SynapticOperationsLossHook,
    TimeBudgetHook,
    TrainStepsHook,
)

__all__ = [
    'AtomicCheckpointHook',
    'CheckpointKeysHook',
    'CollectHook',
    'DeployHook',
    'EnergyHook',
    'FiringRateHook',
    'GradientFlowHook',
    'NonFiniteHook',
    'SynapticOperationsLossHook',
    'TimeBudgetHook',
    'TrainStepsHook',
]
