"""Checkpoints brought to one form before other hooks read them."""

from typing import Any

from mmengine.hooks import Hook
from mmengine.runner import Runner

from mmsnn.registry import HOOKS
from mmsnn.utils.checkpoint_keys import unify_keys


@HOOKS.register_module()
class CheckpointKeysHook(Hook):
    """Unwraps the weights of a loaded checkpoint, for all hooks after it.

    MMEngine's Runner takes a bare state dict for a checkpoint and removes the prefix
    ``module.``, but only after its hooks have read the file: ``EMAHook`` finds nothing,
    and the average that is tested keeps its initial values. tools/train.py and
    tools/test.py register this hook.
    """

    priority = 'VERY_HIGH'

    def after_load_checkpoint(self, runner: Runner, checkpoint: dict[str, Any]) -> None:
        """Change ``checkpoint`` in place."""
        unify_keys(checkpoint)
