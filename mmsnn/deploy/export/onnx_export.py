"""Export of detectors and classifiers to ONNX, from the picture to the boxes."""

from collections.abc import Sequence
from typing import Any

from mmengine.config import Config
from torch import nn

from .archive import export_archive
from .onnx_program import to_onnx
from .picture_input import PictureInput


def export_onnx(model: nn.Module, cfg: Config) -> Any:
    """Return a trained detector or classifier as one ONNX model for pictures.

    Norms are folded, time steps unrolled. For a detector, the model takes ``pictures``,
    uint8 ``[N, H, W, 3]`` in RGB and of any size, and returns ``boxes``
    ``[N, K, 4]`` in pixels of the pictures, ``scores`` and ``labels`` ``[N, K]``, as
    :class:`mmsnn.deploy.export.tensor_networks.SingleStageNetwork` describes; resizing,
    normalisation, padding, decoding and NMS are part of it. For a classifier, pictures
    have the size that its test pipeline gives them, and ``probabilities`` are
    ``[N, classes]``.

    Args:
        model: The model of ``cfg``; it is not changed.
        cfg: The full config.

    Returns:
        An ``onnx.ModelProto``.

    Raises:
        UserError: If the model or its preprocessing cannot be exported.
        ImportError: If onnx or onnxscript is missing.
    """
    traced = export_archive(model, cfg)
    body = to_onnx(traced.program, traced.inputs, traced.outputs)
    return with_preprocessing(traced.preprocessing, body, traced.inputs)


def with_preprocessing(
    preprocessing: PictureInput,
    body: Any,
    inputs: Sequence[str],
    size: tuple[int, int] | None = None,
) -> Any:
    """Return the ONNX model of a network with the preprocessing of pictures before it.

    Args:
        preprocessing: What precedes the network.
        body: The network, as an ``onnx.ModelProto``; its names are changed.
        inputs: Its inputs that the preprocessing computes: ``images`` and, for a
            detector, ``size`` and ``scale``. Others remain inputs.
        size: Height and width of the pictures; None for pictures of any size.
    """
    import onnx

    before = preprocessing.model(resizes='size' in inputs, size=size)
    body.ir_version = before.ir_version
    names = [value.name for value in (*body.graph.input, *body.graph.output)]
    merged = onnx.compose.merge_models(
        before,
        onnx.compose.add_prefix(body, 'network/', rename_inputs=True),
        [(name, f'network/{name}') for name in inputs],
    )
    # one entry for the operators of both parts
    del merged.opset_import[1:]
    _rename(merged, {f'network/{name}': name for name in names if name not in inputs})
    return merged


def _rename(model: Any, names: dict[str, str]) -> None:
    """Rename values of an ONNX model in place."""
    for node in model.graph.node:
        node.input[:] = [names.get(name, name) for name in node.input]
        node.output[:] = [names.get(name, name) for name in node.output]
    for value in (*model.graph.input, *model.graph.output):
        value.name = names.get(value.name, value.name)


__all__ = ['with_preprocessing', 'export_onnx']
