"""Translation of a network of tensors to ONNX by PyTorch's exporter."""

import contextlib
import io
import logging
import warnings
from collections.abc import Iterator, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.export import Dim, ExportedProgram

from mmsnn.models.stems import pixel_coding  # noqa: F401
from mmsnn.ops import decompositions
from mmsnn.utils.errors import UserError, first_line

from . import suppression  # noqa: F401

OPSET = 20
"""Version of ONNX's operators."""

# ONNX needs a limit of the boxes that NMS keeps
_NO_LIMIT = 2**31 - 1


def trace(
    network: nn.Module, inputs: Sequence[Any], dynamic: Sequence[Any]
) -> ExportedProgram:
    """Export a network with PyTorch's own operators only, time steps unrolled.

    Args:
        network: In evaluation mode.
        inputs: Examples of its inputs, tensors or lists of tensors.
        dynamic: For each input, or list of inputs, the dimensions whose size may
            change.

    Raises:
        UserError: If PyTorch cannot trace it.
    """
    with torch.no_grad(), _quiet():
        try:
            program = torch.export.export(
                network, tuple(inputs), dynamic_shapes=tuple(dynamic), strict=False
            )
            _name_indexing(program)
            table = decompositions()
            table[torch.ops.mmsnn.clamp_intensities.default] = _clamp_intensities
            return program.run_decompositions(table)
        except Exception as error:
            reason = str(error).strip().splitlines() or [type(error).__name__]
            raise UserError(
                f'{type(network).__name__} cannot be traced by torch.export: '
                f'{reason[0]}'
            ) from error


def _name_indexing(program: ExportedProgram) -> None:
    """Make the default of ``torch.meshgrid`` explicit, in place.

    PyTorch 2.10 cannot decompose the operator without it, which FCOS calls.
    """
    for node in program.graph.nodes:
        if node.target is torch.ops.aten.meshgrid.default:
            node.target = torch.ops.aten.meshgrid.indexing
            node.kwargs = {'indexing': 'ij'}
    program.graph_module.recompile()


def _clamp_intensities(x: Tensor, stem: str) -> Tensor:
    """Decompose the operator of pixel codes, without its check of the range."""
    return x.clamp(0, 1)


def dims(divisor: int) -> tuple[Any, Any, Any]:
    """Return dynamic dimensions: batch, and height and width in multiples."""
    batch, height, width = Dim('batch'), Dim('height'), Dim('width')
    return batch, divisor * height, divisor * width


def to_onnx(
    program: ExportedProgram, inputs: Sequence[str], outputs: Sequence[str]
) -> Any:
    """Return a program as an ``onnx.ModelProto``.

    Args:
        program: What :func:`trace` returns.
        inputs: Names of the inputs.
        outputs: Names of the outputs.
    """
    with _quiet():
        try:
            exported: Any = torch.onnx.export(
                program,
                dynamo=True,
                opset_version=OPSET,
                input_names=list(inputs),
                output_names=list(outputs),
                custom_translation_table={
                    torch.ops.mmsnn_export.unsuppressed.default: _unsuppressed()
                },
            )
        except torch.onnx.OnnxExporterError as error:
            raise UserError(
                f'ONNX cannot express the network: {_root(error)}'
            ) from error
    return exported.model_proto


def _root(error: BaseException) -> str:
    """Return the first line of the error that caused another one."""
    while error.__cause__ is not None:
        error = error.__cause__
    return first_line(error)


def _unsuppressed() -> Any:
    """Return the translation of :func:`suppression.unsuppressed`."""
    import onnxscript

    op: Any = onnxscript.opset20

    def unsuppressed(boxes: Any, scores: Any, iou_threshold: float) -> Any:
        chosen = op.NonMaxSuppression(
            boxes,
            op.Unsqueeze(scores, op.Constant(value_ints=[1])),
            op.Constant(value_ints=[_NO_LIMIT]),
            op.Constant(value_floats=[iou_threshold]),
            op.Constant(value_floats=[0.0]),
        )
        # rows of image, class (there is one) and box
        places = op.Gather(chosen, op.Constant(value_ints=[0, 2]), axis=1)
        ones = op.Expand(
            op.Constant(value_floats=[1.0]),
            op.Slice(
                op.Shape(places),
                op.Constant(value_ints=[0]),
                op.Constant(value_ints=[1]),
            ),
        )
        zeros = op.Mul(scores, op.Constant(value_float=0.0))
        return op.Greater(
            op.ScatterND(zeros, places, ones), op.Constant(value_float=0.5)
        )

    return unsuppressed


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Hide the progress and the warnings of the exporters."""
    logger = logging.getLogger('torch.onnx')
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
            warnings.simplefilter('ignore')
            yield
    finally:
        logger.setLevel(level)


__all__ = ['OPSET', 'dims', 'to_onnx', 'trace']
