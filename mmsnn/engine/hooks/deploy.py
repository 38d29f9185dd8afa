"""Hook that tests a model as it is deployed: folded norms, bf16 or int8 weights."""

from copy import deepcopy
from typing import Any

import torch
from mmengine.hooks import Hook
from mmengine.model import BaseTTAModel, is_model_wrapper
from mmengine.runner import Runner
from torch import nn

from mmsnn.deploy import FoldedNorm, fold_norms, quantize_int8
from mmsnn.models.backbones import SpikingBackbone
from mmsnn.registry import HOOKS
from mmsnn.utils import check_bool
from mmsnn.utils.cpu import multiplies_bf16
from mmsnn.utils.errors import UserError


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
        if self.int8 and (self.bf16 or not self.fold):
            raise ValueError(
                'int8 needs folded norms and excludes bf16, but got '
                f'fold={fold}, bf16={bf16}'
            )

    def before_test_epoch(self, runner: Runner) -> None:
        """Replace the model with the optimised copy.

        Raises:
            UserError: If the backbone is not from mmsnn; it is a ValueError.
        """
        model = _inner(runner)
        model = fold_norms(model) if self.fold else deepcopy(model)
        folded = sum(isinstance(m, FoldedNorm) for m in model.modules())
        backbone = 'its own dtype'
        if self.bf16:
            _spiking_backbone(model).to(torch.bfloat16)
            if not multiplies_bf16():
                runner.logger.warning(
                    'This processor has no instructions for bf16: bf16 takes several '
                    'times as long as fp32'
                )
            backbone = 'bf16'
        if self.int8:
            _spiking_backbone(model)
            model, report = quantize_int8(model)
            backbone = 'int8'
            runner.logger.info(str(report))
        self._model = _swap(runner, model)
        runner.logger.info(
            f'Testing with {folded} norms folded into convolutions, the backbone in '
            f'{backbone}'
        )

    def after_test_epoch(
        self, runner: Runner, metrics: dict[str, Any] | None = None
    ) -> None:
        """Restore the model."""
        _swap(runner, self._model)


def _spiking_backbone(model: nn.Module) -> SpikingBackbone:
    """Return a detector's or classifier's backbone.

    Raises:
        UserError: If it is not from mmsnn, because it would not cast its input.
    """
    inner: Any = model.module if isinstance(model, BaseTTAModel) else model
    backbone = getattr(inner, 'backbone', None)
    if not isinstance(backbone, SpikingBackbone):
        raise UserError(
            'bf16 and int8 need a backbone of mmsnn, but the model has '
            f'{type(backbone).__name__}'
        )
    return backbone


def _inner(runner: Runner) -> nn.Module:
    model = runner.model
    return model.module if is_model_wrapper(model) else model


def _swap(runner: Runner, model: nn.Module) -> nn.Module:
    """Replace the runner's model and return the previous one."""
    before = _inner(runner)
    if is_model_wrapper(runner.model):
        runner.model.module = model
    else:
        runner.model = model
    return before
