"""Transfer weights between numbers of time steps: train at T = 1, then at T = 4.

Training with one time step costs a fraction of training with several, and almost no
weights depend on the number of steps. Modules with parameters that do, such as temporal
attention, have an attribute ``step_dims``, which maps a parameter's name to the
dimension that is the number of time steps.
"""

from collections.abc import Mapping

from mmengine.logging import print_log
from mmengine.model import update_init_info
from torch import Tensor, nn

from mmsnn.registry import WEIGHT_INITIALIZERS
from mmsnn.utils import describe
from mmsnn.utils.checkpoints import fit_weights, read_weights
from mmsnn.utils.errors import UserError


def convert_steps(
    state: Mapping[str, Tensor], module: nn.Module
) -> tuple[dict[str, Tensor], list[str]]:
    """Select the weights that can be loaded at another number of time steps.

    Args:
        state: Weights of the same network, for any number of time steps.
        module: The network to load them into; it is not changed.

    Returns:
        The weights to load, and the names of the parameters of ``module`` that keep
        their values: temporal attention that was trained with another number of steps,
        or is not in ``state``, since networks with one step have none.

    Raises:
        ValueError: If a key of ``state`` is unknown, a tensor is missing, or a shape
            that does not depend on the number of steps differs; the message names them.
    """
    places = {name: value.shape for name, value in module.state_dict().items()}
    kept: list[str] = []
    for prefix, part in module.named_modules():
        dims = {
            f'{prefix}.{name}'.lstrip('.'): dim
            for name, dim in getattr(part, 'step_dims', {}).items()
        }
        given = {name: state[name].shape for name in dims if name in state}
        if not given or (
            given.keys() == dims.keys()
            and _num_steps(given, dims) != _num_steps(places, dims)
        ):
            kept += dims
    state = {name: value for name, value in state.items() if name not in kept}
    places = {name: shape for name, shape in places.items() if name not in kept}
    names = {name: name for name in state}
    return fit_weights(state, names, places, set(places), type(module).__name__), kept


def _num_steps(
    shapes: Mapping[str, tuple[int, ...]], dims: Mapping[str, int]
) -> list[int | None]:
    """Return the number of time steps in each shape, None if it has too few dims."""
    return [
        shapes[name][dim] if dim < len(shapes[name]) else None
        for name, dim in dims.items()
    ]


@WEIGHT_INITIALIZERS.register_module()
class PretrainedSteps:
    """Initialise a network with its weights from another number of time steps.

    In a config, on the whole model or a part of it:
    ``init_cfg=dict(type='mmsnn.PretrainedSteps', checkpoint='epoch_20.pth')``. Loading
    is strict, see :func:`convert_steps`. The log lists the parameters that depend on
    the number of steps and are newly initialised. All others have the checkpoint's
    values, even those that ``zero_init_residual`` would zero.

    Args:
        checkpoint: See :func:`mmsnn.utils.checkpoints.read_weights`.
        prefix: Only weights whose names begin with it are loaded, without it, as in
            MMEngine's ``Pretrained``: ``'backbone.'`` for a backbone.

    Raises:
        TypeError: If an argument has the wrong type.
    """

    loads_weights = True

    def __init__(self, checkpoint: str, prefix: str | None = None) -> None:
        if not isinstance(checkpoint, str):
            raise TypeError(
                f'checkpoint must be a path or a URL, but got {describe(checkpoint)}'
            )
        if prefix is not None and not isinstance(prefix, str):
            raise TypeError(f'prefix must be a string, but got {describe(prefix)}')
        self.checkpoint = checkpoint
        self.prefix = prefix or ''

    def __call__(self, module: nn.Module) -> None:
        """Load the weights into ``module``.

        Raises:
            UserError: If the checkpoint cannot be loaded or does not fit.
        """
        # MMEngine initialises parts after the whole, which would overwrite the weights
        for part in module.children():
            init_weights = getattr(part, 'init_weights', None)
            if init_weights is not None and not getattr(part, 'is_init', False):
                init_weights()
        state = read_weights(self.checkpoint)
        try:
            weights, kept = convert_steps(self._select(state), module)
        except ValueError as error:
            raise UserError(f'checkpoint {self.checkpoint!r}: {error}') from error
        module.load_state_dict(weights, strict=False)
        print_log(
            f'{self.checkpoint}: {len(weights)} tensors into {type(module).__name__}; '
            'initialised anew, for another number of time steps: '
            f'{", ".join(kept) or "nothing"}',
            logger='current',
        )
        if hasattr(module, '_params_init_info'):
            update_init_info(module, f'PretrainedSteps: load from {self.checkpoint}')

    def _select(self, state: Mapping[str, Tensor]) -> dict[str, Tensor]:
        weights = {
            name.removeprefix(self.prefix): value
            for name, value in state.items()
            if name.startswith(self.prefix)
        }
        if not weights:
            raise ValueError(f'no weight begins with prefix {self.prefix!r}')
        return weights
