"""Preprocessing of pictures as an ONNX graph, placed before a network's."""

from dataclasses import dataclass
from typing import Any

from mmengine.config import Config

from mmsnn.utils.config_types import class_name, preprocessor_settings
from mmsnn.utils.errors import UserError
from mmsnn.utils.preflight import innermost_dataset

from .onnx_program import OPSET

# numbers of ONNX's data types
_FLOAT, _UINT8, _INT64 = 1, 2, 7
_LOADING = ('LoadImageFromFile', 'LoadAnnotations', 'PackDetInputs')


@dataclass(frozen=True)
class PictureInput:
    """What a config's test pipeline and data preprocessor do to pictures.

    Attributes:
        mean: Subtracted from each channel, in the network's order.
        std: Each channel is divided by it.
        reverse: Whether the network takes BGR.
        divisor: Height and width are padded with 0, at the bottom and on the right, to
            multiples of this.
        scale: Size to which pictures are resized; None leaves their size.
        keep_ratio: Whether they keep their aspect ratio.
    """

    mean: tuple[float, ...]
    std: tuple[float, ...]
    reverse: bool
    divisor: int
    scale: tuple[int, int] | None = None
    keep_ratio: bool = True

    @classmethod
    def of(cls, cfg: Config) -> 'PictureInput':
        """Read it from a full config.

        Raises:
            UserError: If the pipeline has a transform other than loading, bilinear
                ``Resize`` and packing, the input is not a picture, or it is not padded
                with 0.
        """
        given = preprocessor_settings(cfg) or {}
        if given.get('pad_value', 0) != 0:
            raise UserError(
                f'config {cfg.filename!r}: the data preprocessor must have pad_value=0 '
                f'to export, but got {given["pad_value"]}'
            )
        mean, std = given.get('mean'), given.get('std')
        if mean is None or std is None:
            mean, std = [0.0] * 3, [1.0] * 3
        if len(mean) not in (1, 3):
            raise UserError(
                f'config {cfg.filename!r}: the data preprocessor must have 1 or 3 '
                f'channels, but has {len(mean)}'
            )
        swaps = ('bgr_to_rgb', 'rgb_to_bgr', 'to_rgb')
        return cls(
            tuple(map(float, mean)),
            tuple(map(float, std)),
            reverse=len(mean) == 3 and not any(map(given.get, swaps)),
            divisor=given.get('pad_size_divisor', 1),
            **_resizing(cfg),
        )

    def model(self, resizes: bool = True, size: tuple[int, int] | None = None) -> Any:
        """Return the graph as an ``onnx.ModelProto``.

        It takes ``pictures``, uint8 ``[N, H, W, C]`` in RGB, and returns ``images``
        ``[N, C, H', W']``; ``size``, height and width before padding; and ``scale``,
        the factors of width and height.

        Args:
            resizes: Whether ``size`` and ``scale`` are outputs, as detectors need them.
            size: Height and width of the pictures; None for pictures of any size.
        """
        graph = _Graph()
        channels = len(self.mean)
        pixels = graph.add('Cast', 'pictures', to=_FLOAT)
        if self.reverse:
            pixels = graph.add('Gather', pixels, graph.ints(2, 1, 0), axis=3)
        planes = graph.add('Transpose', pixels, perm=[0, 3, 1, 2])
        shape = graph.add('Shape', 'pictures')
        old = graph.add('Gather', shape, graph.ints(1, 2))
        old = graph.add('Cast', old, to=_FLOAT)
        new = self._resized(graph, old)
        if self.scale is not None:
            full = [graph.add('Gather', shape, graph.ints(0)), graph.ints(channels)]
            full.append(graph.add('Cast', new, to=_INT64))
            planes = graph.add(
                'Resize',
                planes,
                '',
                '',
                graph.add('Concat', *full, axis=0),
                mode='linear',
                coordinate_transformation_mode='half_pixel',
            )
            planes = graph.add('Round', planes)
        graph.add('Identity', new, name='size')
        ratios = graph.add('Div', new, old)
        graph.add('Gather', ratios, graph.ints(1, 0), name='scale')
        mean, std = (
            graph.floats(*values, shape=[channels, 1, 1])
            for values in (self.mean, self.std)
        )
        normal = graph.add('Div', graph.add('Sub', planes, mean), std)
        steps = graph.add('Div', new, graph.floats(self.divisor))
        padded = graph.add('Mul', graph.add('Ceil', steps), graph.floats(self.divisor))
        missing = graph.add('Cast', graph.add('Sub', padded, new), to=_INT64)
        pads = graph.add('Concat', graph.ints(*[0] * 6), missing, axis=0)
        graph.add('Pad', normal, pads, name='images')
        numbers = ['size', 'scale'] if resizes else []
        return graph.model(channels, numbers, size or ('rows', 'columns'))

    def _resized(self, graph: '_Graph', old: str) -> str:
        """Return the new height and width, rounded as MMCV rounds them."""
        if self.scale is None:
            return old
        if not self.keep_ratio:
            return graph.floats(*reversed(self.scale))
        # OpenVINO inverts a constant divided by a maximum
        sizes = [
            graph.add(
                'Div',
                graph.add('Mul', old, graph.floats(side)),
                graph.add(reduce, old, keepdims=1),
            )
            for side, reduce in (
                (max(self.scale), 'ReduceMax'),
                (min(self.scale), 'ReduceMin'),
            )
        ]
        exact = graph.add('Min', *sizes)
        return graph.add('Floor', graph.add('Add', exact, graph.floats(0.5)))


class _Graph:
    """A list of ONNX nodes that grows; values are known by their names."""

    def __init__(self) -> None:
        self.nodes: list[Any] = []

    def add(
        self, operator: str, *inputs: str, name: str = '', **attributes: Any
    ) -> str:
        """Add a node and return the name of its output."""
        from onnx import helper

        name = name or f'value_{len(self.nodes)}'
        self.nodes.append(helper.make_node(operator, inputs, [name], **attributes))
        return name

    def ints(self, *values: int) -> str:
        """Add a constant vector of int64."""
        return self.add('Constant', value_ints=list(values))

    def floats(self, *values: float, shape: list[int] | None = None) -> str:
        """Add a constant vector of fp32, or a tensor of another shape."""
        vector = self.add('Constant', value_floats=list(map(float, values)))
        return (
            vector if shape is None else self.add('Reshape', vector, self.ints(*shape))
        )

    def model(
        self, channels: int, numbers: list[str], size: tuple[int | str, int | str]
    ) -> Any:
        """Return the checked model."""
        from onnx import checker, helper

        def value(name: str, kind: int, *shape: int | str) -> Any:
            return helper.make_tensor_value_info(name, kind, shape)

        graph = helper.make_graph(
            self.nodes,
            'preprocessing',
            [value('pictures', _UINT8, 'batch', *size, channels)],
            [
                value('images', _FLOAT, 'batch', channels, 'height', 'width'),
                *(value(name, _FLOAT, 2) for name in numbers),
            ],
        )
        model = helper.make_model(
            graph, opset_imports=[helper.make_opsetid('', OPSET)], ir_version=10
        )
        checker.check_model(model)
        return model


def _resizing(cfg: Config) -> dict[str, Any]:
    """Return the arguments that the test pipeline of a detector determines."""
    pipeline = innermost_dataset(cfg.test_dataloader.dataset).get('pipeline') or ()
    if 'PackDetInputs' not in map(class_name, pipeline):
        return {}
    found: dict[str, Any] = {}
    for step in pipeline:
        kind = class_name(step)
        has_scale = isinstance(step.get('scale'), tuple | list)
        bilinear = step.get('interpolation', 'bilinear') == 'bilinear'
        if kind == 'Resize' and has_scale and bilinear:
            width, height = step['scale']
            found = dict(
                scale=(width, height), keep_ratio=step.get('keep_ratio', False)
            )
        elif kind not in _LOADING:
            raise UserError(
                f'config {cfg.filename!r}: the test pipeline has {kind}, but only '
                f'bilinear Resize with a scale, {", ".join(_LOADING)} can be exported'
            )
    return found


__all__ = ['PictureInput']
