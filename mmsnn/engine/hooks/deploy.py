"""Hook that tests a model as it is deployed: folded norms, bf16 or int8 weights."""

from typing import Any

from mmengine.hooks import Hook
from mmengine.model import is_model_wrapper
from mmengine.runner import Runner
from torch import nn

from mmsnn.deploy.preparation import check_preparation, prepare
from mmsnn.registry import HOOKS
from mmsnn.utils import check_bool
from mmsnn.utils.cpu import multiplies_bf16
from mmsnn.utils.model_wrappers import unwrap


@HOOKS.register_module()
class DeployHook(Hook):
    """Tests an optimised copy of the model.

    In a config::

        custom_hooks = [dict(type='mmsnn.DeployHook', bf16=True)]

    The original model is not changed; it is restored after the test.

    Args:
        fold: Whether to fold norms into convolutions, see
            :func:`mmsnn.deploy.fold_norms`.
        bf16: Whether to run the backbone in bf16. On processors without bf16
            instructions, it is several times slower than fp32. Decoders convert back to
            the precision of neck and head.
        int8: Whether to quantise the backbone's weights to int8 after folding norms,
            see :func:`mmsnn.deploy.quantize_int8`.

    Raises:
        TypeError: If an argument is not a bool.
        ValueError: If ``int8`` is combined with ``bf16`` or used without ``fold``, or,
            before the test, if ``bf16`` or ``int8`` is used with a backbone that is not
            from mmsnn.
    """

    # after hooks that load weights for the test, such as EMAHook
    priority = 'VERY_LOW'

    def __init__(
        self, fold: bool = True, bf16: bool = False, int8: bool = False
    ) -> None:
        self.fold = check_bool('fold', fold)
        self.bf16 = check_bool('bf16', bf16)
        self.int8 = check_bool('int8', int8)
        check_preparation(fold, bf16, int8)

    def before_test_epoch(self, runner: Runner) -> None:
        """Replace the model with the optimised copy.

        Raises:
            UserError: If the backbone is not from mmsnn; it is a ValueError.
        """
        if self.bf16 and not multiplies_bf16():
            runner.logger.warning(
                'This processor has no instructions for bf16: bf16 takes several times '
                'as long as fp32'
            )
        model, description = prepare(
            unwrap(runner.model), self.fold, self.bf16, self.int8
        )
        self._model = _swap(runner, model)
        runner.logger.info(f'Testing with {description}')

    def after_test_epoch(
        self, runner: Runner, metrics: dict[str, Any] | None = None
    ) -> None:
        """Restore the model."""
        _swap(runner, self._model)


def _swap(runner: Runner, model: nn.Module) -> nn.Module:
    """Replace the runner's model and return the previous one."""
    before: nn.Module = unwrap(runner.model)
    if is_model_wrapper(runner.model):
        runner.model.module = model
    else:
        runner.model = model
    return before
