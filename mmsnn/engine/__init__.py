"""What runs with MMEngine's Runner."""

from .hooks import TrainStepsHook

__all__ = ['TrainStepsHook']
