"""Hook that unifies the keys of checkpoints before other hooks read them."""

from typing import Any

from mmengine.hooks import Hook
from mmengine.runner import Runner

from mmsnn.registry import HOOKS
from mmsnn.utils.checkpoint_keys import unify_keys


@HOOKS.register_module()
class CheckpointKeysHook(Hook):
    """Unifies the keys of a loaded checkpoint before other hooks read it.

    MMEngine's Runner accepts a bare state dict and removes the prefix ``module.``, but
    only after its hooks have read the checkpoint: ``EMAHook`` then finds no weights,
    and the tested average keeps its initial values. ``tools/train.py`` and
    ``tools/test.py`` register this hook.
    """

    priority = 'VERY_HIGH'

    def after_load_checkpoint(self, runner: Runner, checkpoint: dict[str, Any]) -> None:
        """Change ``checkpoint`` in place."""
        unify_keys(checkpoint)
