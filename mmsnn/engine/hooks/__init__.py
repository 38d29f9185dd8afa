"""Hooks for MMEngine's Runner."""

from .checkpoint import AtomicCheckpointHook
from .checkpoint_keys import CheckpointKeysHook
from .collect import CollectHook
from .deploy import DeployHook
from .energy import EnergyHook
from .firing_rate import FiringRateHook
from .gradient_flow import GradientFlowHook
from .non_finite import NonFiniteHook
from .synaptic_loss import SynapticOperationsLossHook
from .time_budget import TimeBudgetHook
from .train_steps import TrainStepsHook

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
