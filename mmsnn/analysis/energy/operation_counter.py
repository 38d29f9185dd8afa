"""Counter of each layer's operations: multiply-accumulates, accumulations, spikes."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.hooks import RemovableHandle

from mmsnn.analysis.collector import Collector
from mmsnn.analysis.model_parts import (
    find_batch,
    find_parts,
    has_weights,
    in_spikes,
    is_projection,
    spike_unit,
    spiking_only,
    steps_and_images,
)
from mmsnn.models.neurons import BaseNeuron, current_steps

from .arithmetic import ARITHMETIC, FUSED_ATTENTION, Arithmetic, Kind
from .operation_costs import count_synaptic
from .operations import (
    VALUES,
    ImageOperations,
    LayerOperations,
    NeuronOperations,
    Operations,
)

aten = torch.ops.aten


@dataclass
class _Tally:
    """Running counts of a layer, for one batch or for all batches."""

    steps: int
    weights: int
    images: list[ImageOperations]
    inputs: int = 0
    outputs: int = 0
    peak: float = 0.0
    range: int = 0

    def add(self, other: '_Tally') -> None:
        """Add the counts that are not kept per image."""
        self.weights = max(self.weights, other.weights)
        self.inputs += other.inputs
        self.outputs += other.outputs
        self.peak = max(self.peak, other.peak)
        self.range = max(self.range, other.range)


@dataclass
class _Call:
    """Call of a module that is running.

    Args:
        name: Name of the module in the model.
        module: The module.
        lead: Size of the first dimension of its first input; 0 if it has none.
        weights: Number of weights that were used, by kind, address and size.
    """

    name: str
    module: nn.Module
    lead: int
    weights: dict[tuple[Kind, int, torch.Size], int] = field(default_factory=dict)

    def count_weights(self, kind: Kind, weight: Tensor | None) -> int:
        """Add an operation's weights; return the number of all weights of its kind."""
        if weight is not None:
            self.weights[kind, weight.data_ptr(), weight.shape] = weight.numel()
        return sum(n for (other, *_), n in self.weights.items() if other == kind)


class _Watch(TorchDispatchMode):
    """Passes every operation to the counter, after decomposing composite ones."""

    def __init__(self, counter: 'OperationCounter') -> None:
        super().__init__()
        self.counter = counter

    def __torch_dispatch__(
        self,
        func: Any,
        types: Any,
        args: Sequence[Any] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        packet = getattr(func, 'overloadpacket', None)
        rule = ARITHMETIC.get(packet)
        if rule is None and hasattr(func, 'decompose'):
            with self:
                out = func.decompose(*args, **(kwargs or {}))
            if out is not NotImplemented:
                return out
        out = func(*args, **(kwargs or {}))
        if packet in FUSED_ATTENTION:
            with self:  # only to count the products, which masks leave unchanged
                aten._scaled_dot_product_attention_math(*args[:3], enable_gqa=True)
        if rule is not None and self.counter.looks_at(func):
            arithmetic = rule(args, out)
            if arithmetic is not None and arithmetic.input.numel():
                self.counter.record(arithmetic)
        return out


class OperationCounter(Collector):
    """Counts the operations of every call of the model, layer by layer.

    The operations that PyTorch executes in the forward pass are counted, independently
    of the modules that call them: convolutions, matrix products, element-wise products
    in encoders and spike decoders, and norms. Merges, pooling, activation functions,
    up-sampling and the detector's post-processing are not counted; their cost is
    negligible compared with the convolutions. ::

        with OperationCounter(model) as counter, torch.no_grad():
            model.test_step(batch)
        operations = counter.result()

    Counts are kept per image for any batch size. This requires that the first
    dimension of a layer's input folds time steps and images, time steps first, as in
    mmsnn; if it is not a multiple of the batch size (the regions of a two-stage
    detector), the operations of a batch are distributed evenly over its images. Dense
    counts are the same in training and evaluation mode; spikes depend on the mode.

    Inputs are counted in spikes. Integer neurons that divide their output by D, and the
    mean over T before a head's last layer, scale spikes by a constant that belongs to
    the layer's weights: the accumulations are those of the spikes.

    Args:
        model: A detector, a classifier or a backbone, spiking or not.
    """

    def __init__(self, model: nn.Module) -> None:
        super().__init__(model)
        self._parts = find_parts(self.model)
        self._watch: _Watch | None = None
        self._fast_attention = True
        self._stack: list[_Call] = []
        self._tallies: dict[tuple[str, Kind], _Tally] = {}
        self._batch: dict[tuple[str, Kind], _Tally] = {}
        self._spikes: dict[str, list[float]] = {}
        self._batch_spikes: dict[str, list[float]] = {}
        self._batch_updates: dict[str, float] = {}
        self._updates: dict[str, float] = {}
        self._used: dict[str, None] = {}
        self._batch_size = 0
        self._num_images = 0
        neurons = {
            name: module
            for name, module in self.model.named_modules()
            if isinstance(module, BaseNeuron)
        }
        self._spiking_parts = {self._parts[name] for name in neurons}
        if neurons:
            self._spiking_parts |= {'encoder', 'backbone'}
        self._num_steps = max((n.num_steps for n in neurons.values()), default=1)
        self._unit = spike_unit(self.model)
        self._only_spiking = tuple(f'{name}.' for name in spiking_only(self.model))

    def attach(self) -> Iterator[RemovableHandle]:
        """Register the hooks; yield their handles."""
        for name, module in self.model.named_modules():
            enter = self._start if module is self.model else partial(self._enter, name)
            leave = self._finish if module is self.model else self._leave
            yield module.register_forward_pre_hook(
                enter, prepend=True, with_kwargs=True
            )
            yield module.register_forward_hook(leave, always_call=True)
            if isinstance(module, BaseNeuron):
                yield module.register_forward_hook(partial(self._fired, name))

    def result(self) -> Operations:
        """Return the counts so far.

        Raises:
            ValueError: If the model was not called while the collector was entered.
        """
        if not self._num_images:
            raise ValueError(
                f'{type(self.model).__name__} was not called while its operations were '
                'counted'
            )
        layers = tuple(
            self._layer(name, kind, tally)
            for (name, kind), tally in self._tallies.items()
        )
        counted = {layer.name for layer in layers}
        modules = dict(self.model.named_modules())
        return Operations(
            layers=layers,
            neurons=tuple(self._neuron(name, modules[name]) for name in self._spikes),
            num_images=self._num_images,
            parameters=sum(p.numel() for p in self.model.parameters()),
            uncounted=tuple(
                name
                for name in self._used
                if name not in counted and has_weights(modules[name])
            ),
        )

    def looks_at(self, func: Any) -> bool:
        """Return whether an operation is counted in the module that is running."""
        if not self._stack or isinstance(self._stack[-1].module, BaseNeuron):
            return False
        products = (aten.mul, aten.addcmul)
        if func.overloadpacket not in products:
            return True
        name = self._stack[-1].name
        return self._parts[name] in ('encoder', 'decoder')

    def record(self, arithmetic: Arithmetic) -> None:
        """Add one operation to the layer that is running."""
        call = self._stack[-1]
        name, module = call.name, call.module
        n = self._batch_size
        if arithmetic.kind != 'norm':
            unit = self._unit / getattr(module, 'averaged_steps', 1)
            x = in_spikes(arithmetic.input.detach(), unit)
            arithmetic = replace(arithmetic, input=x)
        key = (name, arithmetic.kind)
        tally = self._batch.get(key)
        if tally is None:
            rows = arithmetic.input.shape[0]
            num_steps = current_steps(self._num_steps)
            folded = arithmetic.kind != 'product' and rows == num_steps * n
            steps = num_steps if folded else 1
            tally = _Tally(
                getattr(module, 'folded_steps', steps),
                0,
                [ImageOperations()] * n,
            )
            self._batch[key] = tally
        split = self._by_image(arithmetic.input.detach(), arithmetic.kind, call.lead)
        images, kind, peak = count_synaptic(
            arithmetic, split, n, silent='binary' if self._may_spike(name) else 'analog'
        )
        tally.images = [a + b for a, b in zip(tally.images, images, strict=True)]
        size = arithmetic.input.numel()
        weights = call.count_weights(arithmetic.kind, arithmetic.weight)
        tally.add(_Tally(1, weights, [], size, arithmetic.outputs, peak, kind))

    def _may_spike(self, name: str) -> bool:
        """Return whether an all-zero input counts as spikes, not as analog values."""
        part = self._parts[name]
        if part == 'encoder' and f'{name}.'.startswith(self._only_spiking):
            return False  # the attention of a stem: its input is analog
        return part in self._spiking_parts

    def _by_image(self, x: Tensor, kind: str, lead: int) -> Tensor | None:
        """Return the input as ``[steps, N, ...]``; None if it cannot be split."""
        n = self._batch_size
        if kind == 'product' and x.dim() == 5 and x.shape[1] == n:
            return x
        rows = x.shape[0]
        if kind == 'linear' and rows != lead:
            # several rows per image: [lead * L, C] of [lead, L, C]
            if not lead or rows % lead or lead % n:
                return None
            return x.reshape(lead // n, n, -1, x.shape[-1])
        return None if rows % n else x.unflatten(0, (rows // n, n))

    def _start(
        self, module: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> None:
        self._batch_size = len(find_batch(args, kwargs))
        self._stack = [_Call('', module, self._batch_size)]
        # one operation for a whole MultiheadAttention, which has no decomposition
        self._fast_attention = torch.backends.mha.get_fastpath_enabled()
        torch.backends.mha.set_fastpath_enabled(False)
        self._watch = _Watch(self)
        self._watch.__enter__()

    def _finish(self, module: nn.Module, args: Any, out: Any) -> None:
        self._stop_watching()
        n = self._batch_size
        if out is not None:  # None after an exception: the batch is not counted
            for key, batch in self._batch.items():
                missed = [ImageOperations()] * self._num_images
                known = self._tallies.setdefault(
                    key, _Tally(batch.steps, batch.weights, missed)
                )
                known.add(batch)
                known.images += batch.images
            self._num_images += n
            for tally in self._tallies.values():
                # layers that this batch did not use
                missed = [ImageOperations()] * (self._num_images - len(tally.images))
                tally.images += missed
            for name, spikes in self._batch_spikes.items():
                silent = [0.0] * (self._num_images - n)
                self._spikes.setdefault(name, silent).extend(spikes)
                updates = n * self._batch_updates[name]
                self._updates[name] = self._updates.get(name, 0.0) + updates
            for counts in self._spikes.values():
                counts += [0.0] * (self._num_images - len(counts))
        self._batch, self._batch_spikes, self._batch_updates = {}, {}, {}

    def _stop_watching(self) -> None:
        self._stack = []
        if self._watch is not None:
            torch.backends.mha.set_fastpath_enabled(self._fast_attention)
            self._watch.__exit__(None, None, None)
            self._watch = None

    def _enter(
        self,
        name: str,
        module: nn.Module,
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
    ) -> None:
        if self._stack:
            tensors = (arg for arg in args if isinstance(arg, Tensor) and arg.dim())
            first = next(tensors, None)
            lead = 0 if first is None else len(first)
            self._stack.append(_Call(name, module, lead))
            self._used[name] = None

    def _leave(self, module: nn.Module, args: Any, out: Any) -> None:
        if self._stack:
            self._stack.pop()

    def _fired(self, name: str, module: BaseNeuron, args: Any, out: Tensor) -> None:
        steps = steps_and_images(out, module.num_steps)
        spikes = in_spikes(steps, module.spike_unit)
        if not self._stack:
            return
        n = self._batch_size
        totals = spikes.transpose(0, 1).flatten(1).sum(1, dtype=torch.float64)
        if len(totals) != n:
            # the regions of a two-stage detector
            totals = totals.sum().div(n).expand(n)
        # a head calls the same neurons for every level
        before = self._batch_spikes.get(name, [0.0] * n)
        self._batch_spikes[name] = [
            a + b for a, b in zip(before, totals.tolist(), strict=True)
        ]
        self._batch_updates[name] = (
            self._batch_updates.get(name, 0.0) + spikes.numel() / n
        )

    def _layer(self, name: str, kind: Kind, tally: _Tally) -> LayerOperations:
        return LayerOperations(
            name=name,
            kind=kind,
            part=self._parts[name],
            projection=is_projection(name),
            spiking_only=kind == 'product' or f'{name}.'.startswith(self._only_spiking),
            steps=tally.steps,
            weights=tally.weights,
            inputs=tally.inputs / self._num_images,
            outputs=tally.outputs / self._num_images,
            values=VALUES[tally.range],
            peak=tally.peak,
            images=tuple(tally.images),
        )

    def _neuron(self, name: str, neuron: BaseNeuron) -> NeuronOperations:
        return NeuronOperations(
            name=name,
            part=self._parts[name],
            num_steps=neuron.num_steps,
            leaky=neuron.decay() is not None,
            updates=self._updates[name] / self._num_images,
            max_spikes=getattr(neuron, 'max_value', 1),
            spikes_out=tuple(self._spikes[name]),
        )
