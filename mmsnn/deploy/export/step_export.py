"""Export of one call of a stream to ONNX, with the state as inputs and outputs."""

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from mmengine.config import Config
from torch import Tensor, nn
from torch.export import Dim

from mmsnn.deploy.folding import fold_norms
from mmsnn.models.neurons.carried_state import CarriedState, carrying
from mmsnn.streaming import State, restart, step
from mmsnn.utils import check_positive_int
from mmsnn.utils.errors import UserError

from .agreement import picture_of
from .onnx_export import with_preprocessing
from .onnx_program import to_onnx, trace
from .picture_input import PictureInput
from .tensor_networks import as_tensor_network, example_inputs

BEFORE, AFTER = 'before/', 'after/'
"""Prefixes of the states among the inputs and among the outputs."""


class StepNetwork(nn.Module):
    """A call of a stream as a pure function of tensors.

    States are relative to rest, so that zeros begin a stream.

    Args:
        network: The network, whose inputs and outputs are tensors.
        num_steps: Number of time steps per call.
        rest: The state at the beginning of a stream, see :func:`rest_of`.
    """

    def __init__(self, network: nn.Module, num_steps: int, rest: State) -> None:
        super().__init__()
        self.network = network
        self.num_steps = num_steps
        # only neurons whose v_reset is neither 0 nor None rest at another value
        self.rest = {key: value.flatten()[0].item() for key, value in rest.items()}

    def forward(
        self, inputs: Sequence[Tensor], states: Sequence[Tensor]
    ) -> tuple[Tensor, ...]:
        """Return the outputs of the network, followed by the states after the call.

        Args:
            inputs: Arguments of the network.
            states: The states before the call, in the order of ``rest``.
        """
        given = zip(self.rest.items(), states, strict=True)
        before = {key: value + at if at else value for (key, at), value in given}
        carried = CarriedState(self.network, self.num_steps, before)
        with carrying(carried):
            output = self.network(*inputs)
        after = ((carried.after[key], at) for key, at in self.rest.items())
        outputs = (output,) if isinstance(output, Tensor) else tuple(output)
        return *outputs, *(value - at if at else value for value, at in after)


@torch.no_grad()
def rest_of(network: nn.Module, inputs: Sequence[Tensor], num_steps: int) -> State:
    """Return the state with which a stream begins.

    Args:
        network: The network, in evaluation mode.
        inputs: Examples of its inputs.
        num_steps: Number of time steps per call.

    Raises:
        UserError: If a part of the network cannot stream; the message names it.
    """
    try:
        _, state = step(network, *inputs, num_steps=num_steps)
    except ValueError as error:
        raise UserError(
            f'{type(network).__name__} cannot be exported as a step: {error}'
        ) from error
    if not state:
        raise UserError(
            f'{type(network).__name__} cannot be exported as a step: it has no state'
        )
    items = len(next(iter(state.values())))
    return restart(network, state, torch.ones(items, dtype=torch.bool))


def step_to_onnx(
    network: nn.Module,
    inputs: Mapping[str, Tensor],
    outputs: Sequence[str],
    num_steps: int = 1,
) -> Any:
    """Return a call of a stream of a network as an ``onnx.ModelProto``.

    The model computes what :func:`mmsnn.streaming.step` computes. After the inputs it
    takes the states, named ``before/KEY`` with the keys of mmsnn.streaming's state, and
    after the outputs it returns ``after/KEY`` in the same order. Zeros begin a stream,
    for all items of a batch or for single ones: the potential of a neuron whose
    ``v_reset`` is neither 0 nor None is relative to it. The batch size is free, the
    other sizes are those of the examples.

    Args:
        network: A network whose inputs and outputs are tensors, such as a backbone, in
            evaluation mode; it is not changed.
        inputs: An example of each input by its name; those of one dimension have no
            batch.
        outputs: Names of the outputs.
        num_steps: Number of time steps per call, at least 1.

    Raises:
        UserError: If a part of the network cannot stream or be exported.
        ValueError: If ``num_steps`` is less than 1.
        ImportError: If onnx or onnxscript is missing.
    """
    check_positive_int('num_steps', num_steps)
    batch = Dim('batch')
    examples = [_two(value) for value in inputs.values()]
    rest = rest_of(network, examples, num_steps)
    program = trace(
        StepNetwork(network, num_steps, rest),
        [examples, [torch.zeros_like(value) for value in rest.values()]],
        [
            [{0: batch} if value.dim() > 1 else {} for value in examples],
            [{0: batch} for _ in rest],
        ],
    )
    keys = [key.removeprefix(f'{getattr(network, "wraps", "")}.') for key in rest]
    before, after = ([f'{side}{key}' for key in keys] for side in (BEFORE, AFTER))
    model = to_onnx(program, [*inputs, *before], [*outputs, *after])
    _name_batch(model.graph)
    return model


def _name_batch(graph: Any) -> None:
    """Name the only free size of an ONNX graph, in place."""
    symbol = graph.input[0].type.tensor_type.shape.dim[0].dim_param
    for value in (*graph.input, *graph.output, *graph.value_info):
        for size in value.type.tensor_type.shape.dim:
            if symbol in size.dim_param:  # also in products, such as 3*s0
                size.dim_param = size.dim_param.replace(symbol, 'batch')


def _two(value: Tensor) -> Tensor:
    """Return an example of a batch of two: tracing would fix a batch of one."""
    return torch.cat([value[:1]] * 2).cpu() if value.dim() > 1 else value.cpu()


def export_step(model: nn.Module, cfg: Config, batch: Any, num_steps: int = 1) -> Any:
    """Return a detector or classifier of streams as one ONNX model for pictures.

    Each call takes a picture of each stream and continues from the states, see
    :func:`step_to_onnx`. Pictures and results are those of
    :func:`mmsnn.deploy.export.onnx_export.export_onnx`, but all pictures have the size
    of the example, since potentials belong to positions.

    Args:
        model: The model of ``cfg``; it is not changed.
        cfg: The full config.
        batch: An example of one picture, see
            :func:`mmsnn.analysis.model_inputs.make_batches`.
        num_steps: Number of time steps per picture, at least 1.

    Returns:
        An ``onnx.ModelProto``.

    Raises:
        UserError: If a part of the model cannot stream, or the model or its
            preprocessing cannot be exported.
        ValueError: If ``num_steps`` is less than 1.
        ImportError: If onnx or onnxscript is missing.
    """
    preprocessing = PictureInput.of(cfg)
    network: Any = as_tensor_network(fold_norms(model).cpu().eval())
    trained: Any = model
    images = trained.data_preprocessor(dict(batch), False)['inputs']
    inputs = example_inputs(network, images)
    body = step_to_onnx(network, inputs, network.outputs, num_steps)
    height, width = picture_of(batch).shape[:2]
    return with_preprocessing(preprocessing, body, [*inputs], (height, width))


__all__ = [
    'AFTER',
    'BEFORE',
    'StepNetwork',
    'export_step',
    'rest_of',
    'step_to_onnx',
]
