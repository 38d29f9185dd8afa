"""Hooks of MMEngine's Runner."""

from .train_steps import TrainStepsHook

__all__ = ['TrainStepsHook']
