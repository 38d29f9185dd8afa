"""Export of spiking networks to NIR, the neuromorphic intermediate representation."""

import operator
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, fx, nn
from torch.export import ExportedProgram
from torch.utils._pytree import tree_flatten, tree_map

from mmsnn.deploy.folding import fold_norms
from mmsnn.models.neurons import BaseNeuron
from mmsnn.utils.errors import UserError

from . import nir_shape_operators  # noqa: F401
from .nir_operators import DT, REASONS, TRANSLATIONS
from .nir_signals import Call, GraphBuilder, NotInNIR, Signal


def export_nir(network: nn.Module, images: Tensor) -> Any:
    r"""Return a spiking network as a graph of NIR (Pedersen et al. 2024).

    The graph computes one time step of one sample; a runtime applies it T times,
    starting from neurons at rest, to the image or to each frame. Norms are folded into
    convolutions, and those that remain are 1x1 convolutions. A sum is several edges
    that end in one node.

    NIR's neurons are differential equations: :math:`\dot v = R I` (IF) and
    :math:`\tau \dot v = (v_{leak} - v) + R I` (LIF). Forward Euler steps of length
    :math:`\Delta t` = 0.1 ms are mmsnn's equations

    .. math::
        h_t &= v_{t-1} + \Delta t\,R\,x_t = v_{t-1} + x_t
            &&\text{(IF, } R = 1 / \Delta t) \\
        h_t &= v_{t-1} + \frac{\Delta t}{\tau_{NIR}}
            \big((v_{leak} - v_{t-1}) + R\,x_t\big)
            &&\text{(LIF, } \tau_{NIR} = \tau\,\Delta t,\; v_{leak} = v_{reset})

    with :math:`R = 1` if the decay also applies to the input, and :math:`R = \tau`
    otherwise. A neuron that fires is reset to :math:`v_{reset}`; NIR has no soft reset.
    NIR defines firing by :math:`v > v_{th}`, mmsnn by :math:`h \ge v_{th}`, which
    differ only where the potential equals the threshold.

    A max-pool of binary spikes is an average pool and IF neurons that fire if the mean
    is above half of what one spike gives, and are therefore reset to rest. A mean over
    time before linear layers moves after them, :math:`\frac1T \sum_t (W s_t + b)`: the
    runtime averages the outputs.

    Args:
        network: A backbone, or any network of one tensor that NIR can express, in
            evaluation mode; it is not changed.
        images: An example of its input, images ``[N, C, H, W]`` or frames
            ``[N, T, C, H, W]``; the graph is for its height and width.

    Returns:
        An ``nir.NIRGraph``. Its node ``input`` takes ``[C, H, W]``; it has one output
        node, ``output``, or ``output_0``, ``output_1``, ... Its ``metadata`` are
        ``num_steps`` T, ``dt`` in seconds, and ``average_outputs``, which is 1 if the
        network's outputs are the means of the graph's over time.

    Raises:
        UserError: If NIR cannot express a layer; the message names it and the reason.
        ImportError: If the package nir is missing.
    """
    graph, reasons = _translate(network, images)
    if reasons:
        more = len(reasons) - 1
        raise UserError(
            f'NIR cannot express {reasons[0]}' + (f' ({more} more)' if more else '')
        )
    return graph


def check_nir(network: nn.Module, images: Tensor) -> list[str]:
    """Return what NIR cannot express, each as ``layer: reason``.

    Args:
        network: See :func:`export_nir`.
        images: See :func:`export_nir`.
    """
    return _translate(network, images)[1]


class ClassScores(nn.Module):
    """A classifier of MMPretrain up to the scores of its head, without the softmax.

    Args:
        model: The classifier.
    """

    def __init__(self, model: Any) -> None:
        super().__init__()
        self.backbone = model.backbone
        self.neck = model.neck
        self.head = model.head

    def forward(self, images: Tensor) -> Tensor:
        """Return the scores ``[N, K]``."""
        features = self.backbone(images)
        return self.head(features if self.neck is None else self.neck(features))


def nir_networks(model: nn.Module) -> list[nn.Module]:
    """Return the parts of a model that may be exported, the largest first.

    Args:
        model: A classifier, whose parts are :class:`ClassScores` and the backbone, a
            detector, whose part is the backbone, or a network without a backbone.
    """
    backbone = getattr(model, 'backbone', model)
    if hasattr(model, 'head') and hasattr(model, 'extract_feat'):
        return [ClassScores(model), backbone]
    return [backbone]


def _translate(network: nn.Module, images: Tensor) -> tuple[Any, list[str]]:
    import nir

    steps = {m.num_steps for m in network.modules() if isinstance(m, BaseNeuron)}
    if len(steps) != 1:
        found = f'neurons with {sorted(steps)} time steps' if steps else 'no neurons'
        return None, [f'{type(network).__name__}: it has {found}']
    builder = GraphBuilder(steps.pop())
    # another number of samples than of time steps, to tell them apart
    images = images[:1].repeat(2 * builder.num_steps, *[1] * (images.dim() - 1))
    folded = fold_norms(network).cpu().eval()
    with torch.no_grad():
        try:
            program = torch.export.export(folded, (images.cpu(),), strict=False)
        except Exception as error:
            reason = str(error).strip().splitlines() or [type(error).__name__]
            return None, [f'{type(network).__name__}: {reason[0]}']
        shape = tuple(images.shape[-3:])
        builder.add('input', nir.Input({'input': shape}), ())
        given = Signal(('input',), shape, 'N' if images.dim() == 4 else 'NT')
        walk = _Walk(builder, program, type(network).__name__)
        outputs = walk.run(given)
    if walk.reasons:
        return None, walk.reasons
    for i, signal in enumerate(outputs):
        name = 'output' if len(outputs) == 1 else f'output_{i}'
        builder.add(name, nir.Output({'output': signal.shape}), signal.sources)
    metadata = dict(
        num_steps=builder.num_steps,
        dt=DT,
        average_outputs=int(any(signal.averaged for signal in outputs)),
    )
    return nir.NIRGraph(builder.nodes, builder.edges, metadata), []


class _Unknown:
    """Result of an operation that NIR cannot express."""


class _Walk:
    """Translates a traced network, operation by operation."""

    def __init__(
        self, graph: GraphBuilder, program: ExportedProgram, model: str
    ) -> None:
        self.graph = graph
        self.program = program
        self.model = model
        self.reasons: list[str] = []
        self.values: dict[fx.Node, Any] = {}

    def run(self, images: Signal) -> list[Signal]:
        """Return the outputs, given the input."""
        tensors = _tensors(self.program)
        for node in self.program.graph.nodes:
            if node.op == 'placeholder':
                self.values[node] = tensors.get(node.name, images)
            elif node.op == 'call_function':
                self.values[node] = self._call(node)
            else:
                outputs, _ = tree_flatten(self._resolve(node.args[0]))
                return [x for x in outputs if isinstance(x, Signal)]
        return []

    def _resolve(self, args: Any) -> Any:
        def value(arg: Any) -> Any:
            return self.values[arg] if isinstance(arg, fx.Node) else arg

        return tree_map(value, args)

    def _call(self, node: fx.Node) -> Any:
        args, kwargs = self._resolve(node.args), self._resolve(node.kwargs)
        flat, _ = tree_flatten((args, kwargs))
        if any(isinstance(arg, _Unknown) for arg in flat):
            return _Unknown()
        target: Any = node.target
        if target is operator.getitem or not any(isinstance(a, Signal) for a in flat):
            return target(*args, **kwargs)
        name = target._schema.name
        call = Call(self.graph, self._layer(node), _given(node), _shape(node))
        try:
            if name not in TRANSLATIONS:
                kind = name.partition('::')[2]
                raise NotInNIR(REASONS.get(name, f'NIR has no node for {kind}'))
            return TRANSLATIONS[name](call, *args, **kwargs)
        except NotInNIR as error:
            self.reasons.append(f'{call.layer}: {error}')
            return _Unknown()

    def _layer(self, node: fx.Node) -> str:
        stack = list((node.meta.get('nn_module_stack') or {}).values())
        return stack[-1][0] if stack and stack[-1][0] else self.model


def _tensors(program: ExportedProgram) -> Mapping[str, Tensor]:
    """Return parameters, buffers and constants by the name of their placeholder."""
    signature = program.graph_signature
    names = {
        **signature.inputs_to_parameters,
        **signature.inputs_to_buffers,
        **signature.inputs_to_lifted_tensor_constants,
    }
    known = {**program.constants, **program.state_dict}
    return {name: known[target] for name, target in names.items()}


def _given(node: fx.Node) -> tuple[int, ...]:
    first, _ = tree_flatten(node.args)
    nodes = [arg for arg in first if isinstance(arg, fx.Node)]
    return _shape(nodes[0]) if nodes else ()


def _shape(node: fx.Node) -> tuple[int, ...]:
    return tuple(getattr(node.meta.get('val'), 'shape', ()))


__all__ = ['ClassScores', 'check_nir', 'export_nir', 'nir_networks']
